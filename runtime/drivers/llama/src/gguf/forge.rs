//! Writes GGUF files for tests: a tiny random model, and files that are wrong in one place.

/// A value of a key.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    U16(u16),
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
}

/// One tensor.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) kind: u32,
    pub(crate) data: Vec<u8>,
    /// Written in place of the true offset.
    pub(crate) offset: Option<u64>,
}

/// A file to be.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) version: u32,
    pub(crate) pairs: Vec<(String, Value)>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) alignment: usize,
}

/// Byte tokens before the special ones.
pub(crate) const BYTES: u32 = 256;
/// Ends a turn.
pub(crate) const END: u32 = 257;
/// Tokens of context of the tiny model.
pub(crate) const CONTEXT: u32 = 256;
pub(crate) const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {{ message.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const LAYERS: usize = 2;
const WIDTH: u64 = 32;
const HIDDEN: u64 = 64;
const HEADS: u32 = 4;
const SPECIALS: [&str; 2] = ["<|im_start|>", "<|im_end|>"];

impl Forge {
    /// A byte-level LLaMA of random weights that llama.cpp loads.
    pub(crate) fn tiny(seed: u64) -> Self {
        let mut forge = Self {
            version: 3,
            pairs: header(),
            tensors: Vec::new(),
            alignment: 32,
        };
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let vocabulary = u64::from(BYTES) + SPECIALS.len() as u64;
        forge.half("token_embd.weight", &[WIDTH, vocabulary], &mut random, 1.0);
        forge.half("output.weight", &[WIDTH, vocabulary], &mut random, 0.7);
        forge.ones("output_norm.weight");
        for layer in 0..LAYERS {
            for (name, from, to) in [
                ("attn_q", WIDTH, WIDTH),
                ("attn_k", WIDTH, WIDTH),
                ("attn_v", WIDTH, WIDTH),
                ("attn_output", WIDTH, WIDTH),
                ("ffn_gate", WIDTH, HIDDEN),
                ("ffn_up", WIDTH, HIDDEN),
                ("ffn_down", HIDDEN, WIDTH),
            ] {
                let name = format!("blk.{layer}.{name}.weight");
                forge.half(&name, &[from, to], &mut random, 0.3);
            }
            forge.ones(&format!("blk.{layer}.attn_norm.weight"));
            forge.ones(&format!("blk.{layer}.ffn_norm.weight"));
        }
        forge
    }

    /// Sets or replaces a key.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.pairs.retain(|(name, _)| name != key);
        self.pairs.push((key.to_owned(), value));
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, value) in &self.pairs {
            text(&mut out, key);
            value.write(&mut out);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            text(&mut out, &tensor.name);
            out.extend(u32::try_from(tensor.shape.len()).unwrap().to_le_bytes());
            tensor
                .shape
                .iter()
                .for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(self.alignment) as u64;
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.extend(&tensor.data);
        }
        out
    }

    fn half(&mut self, name: &str, shape: &[u64], random: &mut Random, scale: f32) {
        let count: u64 = shape.iter().product();
        let data = (0..count)
            .flat_map(|_| random.half(scale).to_le_bytes())
            .collect();
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind: 1,
            data,
            offset: None,
        });
    }

    fn ones(&mut self, name: &str) {
        let data = (0..WIDTH).flat_map(|_| 1.0_f32.to_le_bytes()).collect();
        let name = name.to_owned();
        self.tensors.push(Tensor {
            name,
            shape: vec![WIDTH],
            kind: 0,
            data,
            offset: None,
        });
    }
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        let tag = |out: &mut Vec<u8>, tag: u32| out.extend(tag.to_le_bytes());
        match self {
            Self::U16(value) => {
                tag(out, 2);
                out.extend(value.to_le_bytes());
            }
            Self::U32(value) => {
                tag(out, 4);
                out.extend(value.to_le_bytes());
            }
            Self::F32(value) => {
                tag(out, 6);
                out.extend(value.to_le_bytes());
            }
            Self::Bool(value) => {
                tag(out, 7);
                out.push(u8::from(*value));
            }
            Self::Text(value) => {
                tag(out, 8);
                text(out, value);
            }
            Self::Texts(values) => {
                tag(out, 9);
                tag(out, 8);
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| text(out, value));
            }
            Self::I32s(values) => {
                tag(out, 9);
                tag(out, 5);
                out.extend((values.len() as u64).to_le_bytes());
                values
                    .iter()
                    .for_each(|value| out.extend(value.to_le_bytes()));
            }
        }
    }
}

/// xorshift64*: the same numbers everywhere.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() >> 33).unwrap() % end
    }

    /// A half-precision number in `[-scale, scale)`, as its bits.
    fn half(&mut self, scale: f32) -> u16 {
        let unit = (self.number() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0;
        let bits = (unit * scale).to_bits();
        let sign = u16::try_from(bits >> 31).unwrap() << 15;
        let exponent = i32::try_from((bits >> 23) & 0xFF).unwrap() - 127 + 15;
        let fraction = u16::try_from((bits >> 13) & 0x3FF).unwrap();
        match u16::try_from(exponent) {
            Ok(exponent) if exponent > 0 => sign | (exponent << 10) | fraction,
            _ => sign,
        }
    }
}

/// GPT-2's printable name of every byte, then the special tokens.
fn tokens() -> Vec<String> {
    let printable = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut spare = 256;
    let mut names: Vec<String> = (0..BYTES)
        .map(|byte| {
            let code = if printable(byte) {
                byte
            } else {
                spare += 1;
                spare - 1
            };
            char::from_u32(code).unwrap().to_string()
        })
        .collect();
    names.extend(SPECIALS.map(str::to_owned));
    names
}

fn header() -> Vec<(String, Value)> {
    let tokens = tokens();
    let kinds = (0..tokens.len())
        .map(|at| if at < 256 { 1 } else { 3 })
        .collect();
    let never = format!("{0}{0} {0}", tokens[0]);
    [
        ("general.architecture", Value::Text("llama".to_owned())),
        ("general.name", Value::Text("tiny".to_owned())),
        ("general.file_type", Value::U32(1)),
        ("llama.context_length", Value::U32(CONTEXT)),
        (
            "llama.embedding_length",
            Value::U32(u32::try_from(WIDTH).unwrap()),
        ),
        (
            "llama.block_count",
            Value::U32(u32::try_from(LAYERS).unwrap()),
        ),
        (
            "llama.feed_forward_length",
            Value::U32(u32::try_from(HIDDEN).unwrap()),
        ),
        ("llama.attention.head_count", Value::U32(HEADS)),
        ("llama.attention.head_count_kv", Value::U32(HEADS)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        (
            "llama.rope.dimension_count",
            Value::U32(u32::try_from(WIDTH).unwrap() / HEADS),
        ),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        (
            "llama.vocab_size",
            Value::U32(u32::try_from(tokens.len()).unwrap()),
        ),
        ("tokenizer.ggml.model", Value::Text("gpt2".to_owned())),
        ("tokenizer.ggml.pre", Value::Text("gpt-2".to_owned())),
        ("tokenizer.ggml.tokens", Value::Texts(tokens)),
        ("tokenizer.ggml.token_type", Value::I32s(kinds)),
        ("tokenizer.ggml.merges", Value::Texts(vec![never])),
        ("tokenizer.ggml.eos_token_id", Value::U32(END)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.chat_template", Value::Text(TEMPLATE.to_owned())),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
