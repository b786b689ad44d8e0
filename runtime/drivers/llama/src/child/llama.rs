//! The thin safe wrapper of llama.cpp's C API: one model, one context, its sequences.
//!
//! llama.cpp aborts the process where it is misused, so every argument is checked here: tokens
//! are of the vocabulary, sequences exist, positions follow each other within the context, and no
//! batch is larger than the context was made for. The positions of each sequence are counted on
//! this side.
#![expect(
    unsafe_code,
    reason = "the C API of llama.cpp; this is the only file that calls it"
)]

use super::pulse::Pulse;
use llama_cpp_sys_2 as sys;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// How a model is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Tokens of context of each sequence.
    pub(super) context: u32,
    /// Sequences.
    pub(super) slots: u32,
    /// Tokens of a prompt that are read at once.
    pub(super) chunk: u32,
    pub(super) threads: u32,
    pub(super) gpu_layers: u32,
}

impl Shape {
    /// Tokens of a batch at most: a chunk of one prompt, or a token of each sequence.
    fn batch(self) -> u32 {
        self.chunk.max(self.slots)
    }
}

/// A token's place: which sequence, and where in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) token: i32,
    pub(super) slot: u32,
    pub(super) position: u32,
}

/// A loaded model with its context.
#[derive(Debug)]
pub(super) struct Llama {
    model: NonNull<sys::llama_model>,
    context: NonNull<sys::llama_context>,
    vocabulary: NonNull<sys::llama_vocab>,
    tokens: i32,
    shape: Shape,
    /// Tokens in each sequence's cache.
    lengths: Vec<u32>,
    /// Which rows of the last batch have logits.
    rows: Vec<bool>,
    /// Called back from computations: it outlives the context.
    _pulse: Arc<Pulse>,
}

impl Llama {
    /// Loads a model and makes its context.
    pub(super) fn load(path: &str, shape: Shape, pulse: &Arc<Pulse>) -> Result<Self, String> {
        let path = CString::new(path).map_err(|_| "the path holds a zero byte".to_owned())?;
        let pulse = Arc::clone(pulse);
        let data = Arc::as_ptr(&pulse).cast_mut().cast::<c_void>();
        // SAFETY: the call has no preconditions.
        let mut params = unsafe { sys::llama_model_default_params() };
        params.n_gpu_layers = i32::try_from(shape.gpu_layers).unwrap_or(i32::MAX);
        params.progress_callback = Some(on_progress);
        params.progress_callback_user_data = data;
        // SAFETY: the path is a C string and `data` points to a Pulse that is held by `pulse`,
        // both alive during the call, which keeps neither.
        let model = unsafe { sys::llama_model_load_from_file(path.as_ptr(), params) };
        let model = Model(NonNull::new(model).ok_or("llama.cpp does not load the file")?);
        // SAFETY: the model is alive.
        let encoder = unsafe { sys::llama_model_has_encoder(model.0.as_ptr()) };
        // SAFETY: the model is alive.
        let decoder = unsafe { sys::llama_model_has_decoder(model.0.as_ptr()) };
        if encoder || !decoder {
            return Err("the model does not continue text".to_owned());
        }
        // SAFETY: the model is alive, and its vocabulary lives as long.
        let vocabulary = unsafe { sys::llama_model_get_vocab(model.0.as_ptr()) };
        let vocabulary =
            NonNull::new(vocabulary.cast_mut()).ok_or("the model has no vocabulary")?;
        // SAFETY: the vocabulary is alive.
        let tokens = unsafe { sys::llama_vocab_n_tokens(vocabulary.as_ptr()) };
        if tokens <= 0 {
            return Err("the model has no vocabulary".to_owned());
        }
        let params = context_params(shape, data)?;
        // SAFETY: the model is alive and outlives the context: see Drop. `data` points to a Pulse
        // that this value holds for as long as the context lives.
        let context = unsafe { sys::llama_init_from_model(model.0.as_ptr(), params) };
        let context = NonNull::new(context).ok_or("the model's context does not fit the memory")?;
        let lengths = vec![0; usize::try_from(shape.slots).unwrap_or(0)];
        let model = model.leak();
        let rows = Vec::new();
        Ok(Self {
            model,
            context,
            vocabulary,
            tokens,
            shape,
            lengths,
            rows,
            _pulse: pulse,
        })
    }

    /// How many tokens the vocabulary has.
    pub(super) const fn vocabulary(&self) -> i32 {
        self.tokens
    }

    /// The tokens of a text; names of special tokens in it count only where `special`.
    pub(super) fn tokenize(&self, text: &str, special: bool) -> Result<Vec<i32>, String> {
        let length = i32::try_from(text.len()).map_err(|_| "the text is too long".to_owned())?;
        // A token is a byte at least, but for a space that some vocabularies put first.
        let mut tokens = vec![0_i32; text.len() + 2];
        let room = i32::try_from(tokens.len()).map_err(|_| "the text is too long".to_owned())?;
        // SAFETY: the vocabulary is alive; the text is read for `length` bytes and at most `room`
        // tokens are written, which are the lengths of both.
        let count = unsafe {
            sys::llama_tokenize(
                self.vocabulary.as_ptr(),
                text.as_ptr().cast::<c_char>(),
                length,
                tokens.as_mut_ptr(),
                room,
                false,
                special,
            )
        };
        let count =
            usize::try_from(count).map_err(|_| "the text has too many tokens".to_owned())?;
        tokens.truncate(count);
        Ok(tokens)
    }

    /// The bytes that a token adds to the text; none for a special one unless `special`.
    pub(super) fn piece(&self, token: i32, special: bool) -> Vec<u8> {
        let mut bytes = vec![0_u8; messages::limits::TOKEN_BYTES_MAX];
        if !self.knows(token) {
            return Vec::new();
        }
        let room = i32::try_from(bytes.len()).unwrap_or(0);
        // SAFETY: the vocabulary is alive, the token is one of it, and at most `room` bytes are
        // written, which is the buffer's length.
        let count = unsafe {
            sys::llama_token_to_piece(
                self.vocabulary.as_ptr(),
                token,
                bytes.as_mut_ptr().cast::<c_char>(),
                room,
                0,
                special,
            )
        };
        // A longer one than may be sent adds nothing: published ones are under 300 bytes.
        bytes.truncate(usize::try_from(count).unwrap_or(0));
        bytes
    }

    /// Whether a token ends the answer.
    pub(super) fn ends(&self, token: i32) -> bool {
        // SAFETY: the vocabulary is alive and the token is one of it.
        self.knows(token) && unsafe { sys::llama_vocab_is_eog(self.vocabulary.as_ptr(), token) }
    }

    /// The names of the tokens that only a template may write.
    pub(super) fn special_names(&self) -> Vec<String> {
        (0..self.tokens)
            .filter(|token| self.is_special(*token))
            .map(|token| self.name(token))
            .collect()
    }

    /// The token before every text, where the vocabulary demands one.
    pub(super) fn first(&self) -> Option<i32> {
        // SAFETY: the vocabulary is alive.
        let wanted = unsafe { sys::llama_vocab_get_add_bos(self.vocabulary.as_ptr()) };
        wanted
            .then(|| self.begin())
            .filter(|token| self.knows(*token))
    }

    /// The names of the tokens that begin and end a text, for templates.
    pub(super) fn edges(&self) -> (String, String) {
        // SAFETY: the vocabulary is alive.
        let end = unsafe { sys::llama_vocab_eos(self.vocabulary.as_ptr()) };
        (self.name(self.begin()), self.name(end))
    }

    /// Reads tokens into their sequences' caches. Logits follow for the last token of each
    /// sequence where `wanted`.
    pub(super) fn decode(&mut self, places: &[Place], wanted: bool) -> Result<(), String> {
        self.rows.clear();
        let count = i32::try_from(places.len()).map_err(|_| "too many tokens".to_owned())?;
        if places.is_empty() || places.len() > usize::try_from(self.shape.batch()).unwrap_or(0) {
            return Err(format!("{count} tokens are no batch"));
        }
        let lengths = self.advance(places)?;
        let mut batch = Batch::new(places, wanted);
        // SAFETY: the context is alive; the batch's arrays have `count` elements, each sequence id
        // is below `n_seq_max`, each token is one of the vocabulary, positions follow each other
        // below the context's length, and there are at most `n_batch` of them. All arrays outlive
        // the call, which keeps none.
        let status = unsafe { sys::llama_decode(self.context.as_ptr(), batch.raw(count)) };
        if status != 0 {
            // Some of them may be in the caches: all are taken out again.
            for (slot, length) in (0..).zip(self.lengths.clone()) {
                self.keep(slot, length);
            }
            return Err(format!("the model's computation failed ({status})"));
        }
        self.lengths = lengths;
        self.rows = batch.rows();
        Ok(())
    }

    /// The logits of a row of the last batch.
    pub(super) fn logits(&self, row: usize) -> Result<&[f32], String> {
        let index = i32::try_from(row).map_err(|_| "no such row".to_owned())?;
        if self.rows.get(row) != Some(&true) {
            return Err("the row has no logits".to_owned());
        }
        // SAFETY: the context is alive and this row of its last batch asked for logits.
        let logits = unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), index) };
        let count = usize::try_from(self.tokens).unwrap_or(0);
        if logits.is_null() {
            return Err("the model gave no logits".to_owned());
        }
        // SAFETY: a row has one logit for each token of the vocabulary; it is valid until the next
        // call that takes the context mutably, which this borrow excludes.
        Ok(unsafe { std::slice::from_raw_parts(logits, count) })
    }

    /// Keeps the first `keep` tokens of a sequence, or none where the model cannot keep a part.
    /// How many it kept.
    pub(super) fn keep(&mut self, slot: u32, keep: u32) -> u32 {
        let Some(length) = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.lengths.get_mut(slot))
        else {
            return 0;
        };
        let keep = keep.min(*length);
        let (sequence, from) = (i32::try_from(slot), i32::try_from(keep));
        let (Ok(sequence), Ok(from)) = (sequence, from) else {
            return 0;
        };
        // SAFETY: the context is alive, and so is its memory.
        let memory = unsafe { sys::llama_get_memory(self.context.as_ptr()) };
        // SAFETY: the memory is alive and the sequence is below `n_seq_max`.
        let kept = unsafe { sys::llama_memory_seq_rm(memory, sequence, from, -1) };
        *length = if kept { keep } else { 0 };
        if !kept {
            // SAFETY: as above; removing a whole sequence always succeeds.
            unsafe { sys::llama_memory_seq_rm(memory, sequence, -1, -1) };
        }
        *length
    }

    /// The sequences' lengths after `places`, which must follow on.
    fn advance(&self, places: &[Place]) -> Result<Vec<u32>, String> {
        let mut lengths = self.lengths.clone();
        for place in places {
            let length = usize::try_from(place.slot)
                .ok()
                .and_then(|slot| lengths.get_mut(slot));
            let follows = length
                .as_ref()
                .is_some_and(|length| **length == place.position);
            match length {
                Some(length) if follows && *length < self.shape.context => *length += 1,
                Some(_) | None => return Err("a token is out of its place".to_owned()),
            }
            if !self.knows(place.token) {
                return Err("a token is not of the vocabulary".to_owned());
            }
        }
        Ok(lengths)
    }

    fn knows(&self, token: i32) -> bool {
        (0..self.tokens).contains(&token)
    }

    fn begin(&self) -> i32 {
        // SAFETY: the vocabulary is alive.
        unsafe { sys::llama_vocab_bos(self.vocabulary.as_ptr()) }
    }

    fn is_special(&self, token: i32) -> bool {
        // SAFETY: the vocabulary is alive and the token is one of it.
        let kind = unsafe { sys::llama_vocab_get_attr(self.vocabulary.as_ptr(), token) };
        kind & (sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN) != 0
    }

    /// A token as a template writes it.
    fn name(&self, token: i32) -> String {
        String::from_utf8(self.piece(token, true)).unwrap_or_default()
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // SAFETY: both are alive and owned by this value; the context goes before its model.
        unsafe {
            sys::llama_free(self.context.as_ptr());
            sys::llama_model_free(self.model.as_ptr());
        }
    }
}

/// A model that is freed unless it is leaked into a [`Llama`].
struct Model(NonNull<sys::llama_model>);

impl Model {
    const fn leak(self) -> NonNull<sys::llama_model> {
        let model = self.0;
        std::mem::forget(self);
        model
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model is alive and owned by this value.
        unsafe { sys::llama_model_free(self.0.as_ptr()) }
    }
}

/// The arrays of a batch.
struct Batch {
    tokens: Vec<i32>,
    positions: Vec<i32>,
    counts: Vec<i32>,
    sequences: Vec<i32>,
    pointers: Vec<*mut i32>,
    logits: Vec<i8>,
}

impl Batch {
    fn new(places: &[Place], wanted: bool) -> Self {
        let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let last = |at: usize| {
            places
                .get(at + 1..)
                .is_none_or(|rest| rest.iter().all(|p| p.slot != places[at].slot))
        };
        Self {
            tokens: places.iter().map(|place| place.token).collect(),
            positions: places.iter().map(|place| signed(place.position)).collect(),
            counts: vec![1; places.len()],
            sequences: places.iter().map(|place| signed(place.slot)).collect(),
            pointers: Vec::new(),
            logits: (0..places.len())
                .map(|at| i8::from(wanted && last(at)))
                .collect(),
        }
    }

    /// The batch as llama.cpp reads it, valid while this value is.
    fn raw(&mut self, count: i32) -> sys::llama_batch {
        self.pointers = self.sequences.iter_mut().map(ptr::from_mut).collect();
        sys::llama_batch {
            n_tokens: count,
            token: self.tokens.as_mut_ptr(),
            embd: ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.counts.as_mut_ptr(),
            seq_id: self.pointers.as_mut_ptr(),
            logits: self.logits.as_mut_ptr(),
        }
    }

    fn rows(&self) -> Vec<bool> {
        self.logits.iter().map(|wanted| *wanted != 0).collect()
    }
}

/// Starts llama.cpp, once, and sends its warnings to the log.
pub(super) fn start() {
    // SAFETY: the callback keeps nothing and may be called from any thread.
    unsafe { sys::llama_log_set(Some(on_log), ptr::null_mut()) };
    // SAFETY: called once, before any other use.
    unsafe { sys::llama_backend_init() };
}

/// What was built and what the processor can do: part of what makes results identical.
pub(super) fn build() -> String {
    // SAFETY: each returns a C string that is never freed.
    let texts = unsafe {
        [
            sys::llama_version(),
            sys::ggml_version(),
            sys::llama_print_system_info(),
        ]
    };
    let mut build = texts.map(string).join(" ");
    // SAFETY: the registry is complete after `start`.
    for index in 0..unsafe { sys::ggml_backend_dev_count() } {
        // SAFETY: the index is below the count; devices are never freed.
        let device = unsafe { sys::ggml_backend_dev_get(index) };
        build.push(' ');
        // SAFETY: the device is one of the registry.
        build.push_str(&string(unsafe {
            sys::ggml_backend_dev_description(device)
        }));
    }
    build
}

fn context_params(shape: Shape, data: *mut c_void) -> Result<sys::llama_context_params, String> {
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    // SAFETY: the call has no preconditions.
    let mut params = unsafe { sys::llama_context_default_params() };
    let cells = shape
        .context
        .next_multiple_of(CELLS)
        .checked_mul(shape.slots);
    params.n_ctx = cells.ok_or("the context times the slots is out of range")?;
    params.n_batch = shape.batch();
    params.n_ubatch = shape.batch();
    params.n_seq_max = shape.slots;
    params.n_threads = signed(shape.threads);
    params.n_threads_batch = signed(shape.threads);
    // A sequence of its own never depends on where others lie.
    params.kv_unified = false;
    params.abort_callback = Some(on_node);
    params.abort_callback_data = data;
    Ok(params)
}

/// Called now and then while a model is loaded.
unsafe extern "C" fn on_progress(part: f32, data: *mut c_void) -> bool {
    // SAFETY: `data` is the Pulse that the loading call was given, alive until it returns.
    let pulse = unsafe { &*data.cast::<Pulse>() };
    pulse.loading((part.clamp(0.0, 1.0) * 1_000.0) as u16);
    true
}

/// Called before each node of a computation. It goes on in any case: a parent that is gone ends
/// the process by itself.
unsafe extern "C" fn on_node(data: *mut c_void) -> bool {
    // SAFETY: `data` is the Pulse that the context was made with, which outlives it.
    let pulse = unsafe { &*data.cast::<Pulse>() };
    pulse.beat();
    false
}

unsafe extern "C" fn on_log(level: sys::ggml_log_level, text: *const c_char, _data: *mut c_void) {
    if level == sys::GGML_LOG_LEVEL_WARN || level == sys::GGML_LOG_LEVEL_ERROR {
        super::sandbox::log(string(text).trim_end());
    }
}

fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: llama.cpp hands out C strings only, alive during this call.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// llama.cpp rounds each sequence's cells up to this.
const CELLS: u32 = 256;

#[cfg(test)]
mod tests {
    use super::sys;
    use crate::gguf::block_of;

    #[test]
    fn the_table_of_tensor_types_is_ggmls_own() {
        for kind in 0..sys::GGML_TYPE_COUNT + 1 {
            if kind == sys::GGML_TYPE_COUNT {
                assert_eq!(block_of(kind), None);
                continue;
            }
            // SAFETY: the type is below the count.
            let elements = unsafe { sys::ggml_blck_size(kind) };
            // SAFETY: as above.
            let bytes = unsafe { sys::ggml_type_size(kind) };
            let expected = (elements > 0).then(|| (elements.unsigned_abs(), bytes as u64));
            assert_eq!(block_of(kind), expected, "type {kind}");
        }
    }
}
