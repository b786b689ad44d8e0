//! One loaded model: its prompts, its slots, its draws.

use super::job::{Part, Running, Slot};
use super::llama::{Llama, Place, Shape};
use super::prompt::{Marks, Specials};
use super::pulse::Pulse;
use super::serve::failed;
use super::template::Template;
use crate::protocol::{ModelSetup, Setup};
use crate::sampling::{Draw, sample};
use messages::ports::engine::Drawn;
use messages::{
    Digest, EndReason, Job, Label, ModelId, Prompt, Refusal, Role, TokenId, TokenPiece,
};
use std::sync::Arc;

/// One loaded model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) id: ModelId,
    pub(super) llama: Llama,
    template: Template,
    template_text: String,
    specials: Specials,
    pub(super) context: u32,
    /// Bytes of the longest token.
    longest: usize,
    pub(super) slots: Vec<Slot>,
}

impl Model {
    pub(super) fn load(
        setup: &ModelSetup,
        all: &Setup,
        pulse: &Arc<Pulse>,
    ) -> Result<Self, String> {
        let shape = Shape {
            context: setup.context,
            slots: all.slots,
            chunk: all.chunk,
            threads: all.threads,
            gpu_layers: all.gpu_layers,
        };
        let mut llama = Llama::load(&setup.path, shape, pulse)?;
        let (begin, end) = llama.edges();
        let template = Template::new(setup.template.as_deref(), &begin, &end)?;
        let longest = (0..llama.vocabulary())
            .map(|token| llama.piece(token, true).len())
            .max()
            .unwrap_or(0);
        probe(&mut llama)?;
        Ok(Self {
            id: setup.id,
            specials: Specials::new(llama.special_names()),
            template,
            template_text: setup.template.as_deref().unwrap_or_default().to_owned(),
            llama,
            context: setup.context,
            longest: longest.max(1),
            slots: (0..all.slots).map(|_| Slot::default()).collect(),
        })
    }

    /// The tokens of a job's prompt.
    pub(super) fn prompt(&self, job: &Job) -> Result<Vec<i32>, Refusal> {
        self.fits(job.prompt.len())?;
        let pieces = match &job.prompt {
            Prompt::Raw(text) => vec![(String::from_utf8_lossy(&text.0).into_owned(), false)],
            Prompt::Chat(messages) => {
                let texts: Vec<_> = messages
                    .iter()
                    .map(|m| String::from_utf8_lossy(&m.content.0))
                    .collect();
                let mut all: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
                all.push(&self.template_text);
                let marks = Marks::absent_from(&all)
                    .ok_or_else(|| Refusal::Unsupported(Label::truncated(NO_MARKS)))?;
                let guarded: Vec<(&str, String)> = messages
                    .iter()
                    .zip(&texts)
                    .map(|(message, text)| (role(message.role), self.specials.guard(text, marks)))
                    .collect();
                let rendered = self
                    .template
                    .render(&guarded, job.template_time)
                    .map_err(|why| Refusal::Unsupported(Label::truncated(&why)))?;
                self.fits(rendered.len())?;
                let pieces = marks.cut(&rendered).into_iter();
                pieces.map(|piece| (piece.text, piece.special)).collect()
            }
        };
        let mut tokens = Vec::new();
        for (text, special) in pieces {
            let more = self.llama.tokenize(&text, special);
            tokens.extend(more.map_err(|why| failed(&why))?);
        }
        // A template may write the first token itself.
        if let Some(first) = self
            .llama
            .first()
            .filter(|first| tokens.first() != Some(first))
        {
            tokens.insert(0, first);
        }
        if tokens.is_empty() {
            return Err(Refusal::Unsupported(Label::truncated(EMPTY)));
        }
        Ok(tokens)
    }

    /// Refuses what cannot fit before it is read: no token is longer than the longest.
    fn fits(&self, bytes: usize) -> Result<(), Refusal> {
        let prompt = u32::try_from(bytes / self.longest).unwrap_or(u32::MAX);
        if prompt > self.context {
            return Err(Refusal::ContextExceeded {
                context: self.context,
                prompt,
            });
        }
        Ok(())
    }

    pub(super) fn resumed(&self, job: &Job) -> Result<Vec<i32>, Refusal> {
        let of = |id: &TokenId| {
            i32::try_from(id.0)
                .ok()
                .filter(|id| (0..self.llama.vocabulary()).contains(id))
        };
        let tokens: Option<Vec<i32>> = job.resume.iter().map(of).collect();
        // The first holder had another vocabulary, whatever it called the model.
        tokens.ok_or(Refusal::PromptMismatch)
    }

    /// A free slot, that which has read most of the prompt, and how much of it is kept.
    pub(super) fn take_slot(
        &mut self,
        tenant: Digest,
        prompt: &[i32],
        chunk: usize,
    ) -> Result<(u32, usize), Refusal> {
        let free = (0_u32..)
            .zip(&mut self.slots)
            .filter(|(_, slot)| !slot.busy);
        let best = free.max_by_key(|(_, slot)| slot.shared(tenant, prompt, chunk));
        let (index, slot) = best.ok_or(Refusal::Busy {
            retry_after_ms: BUSY_MS,
        })?;
        let shared = slot.shared(tenant, prompt, chunk);
        *slot = Slot {
            busy: true,
            tenant,
            prefix: Vec::new(),
        };
        let kept = self.llama.keep(index, u32::try_from(shared).unwrap_or(0));
        Ok((index, usize::try_from(kept).unwrap_or(0)))
    }

    pub(super) fn read(
        &mut self,
        job: &mut Running,
        part: Part,
        chunk: usize,
    ) -> Result<(), String> {
        if part.to - part.from > chunk {
            return Err("a part is longer than a chunk".to_owned());
        }
        let places: Vec<Place> = (part.from..part.to)
            .filter_map(|at| place(job, at))
            .collect();
        self.llama.decode(&places, false)?;
        job.read = part.to;
        Ok(())
    }

    pub(super) fn draw(&self, job: &mut Running, row: usize) -> Drawn {
        let draw = Draw {
            sampling: job.sampling,
            choice: 0,
            position: job.position(),
        };
        let token = match self.llama.logits(row).map(|logits| sample(logits, draw)) {
            Ok(Some(token)) => token,
            Ok(None) => return Drawn::Failed(failed("the model computed no number")),
            Err(why) => return Drawn::Failed(failed(&why)),
        };
        let Ok(id) = i32::try_from(token) else {
            return Drawn::Failed(failed("a token is not of the vocabulary"));
        };
        if self.llama.ends(id) {
            job.ended = true;
            return Drawn::End(EndReason::Stop);
        }
        job.tokens.push(id);
        let bytes = self.llama.piece(id, false).into();
        Drawn::Token(TokenPiece {
            id: TokenId(token),
            bytes,
        })
    }
}

/// One token through the whole model, so that Ready means something.
fn probe(llama: &mut Llama) -> Result<(), String> {
    let place = Place {
        token: llama.first().unwrap_or(0),
        slot: 0,
        position: 0,
    };
    llama.decode(&[place], true)?;
    let sampling = messages::Sampling {
        temperature_e6: 0,
        top_p_e6: 0,
        seed: 0,
    };
    let drawn = sample(
        llama.logits(0)?,
        Draw {
            sampling,
            choice: 0,
            position: 0,
        },
    );
    llama.keep(0, 0);
    drawn
        .map(|_| ())
        .ok_or_else(|| "the model computed no number".to_owned())
}

pub(super) fn place(job: &Running, at: usize) -> Option<Place> {
    let position = u32::try_from(at).ok()?;
    Some(Place {
        token: *job.tokens.get(at)?,
        slot: job.slot,
        position,
    })
}

pub(super) fn digest(tokens: &[i32]) -> Digest {
    let bytes: Vec<u8> = tokens
        .iter()
        .flat_map(|token| token.to_le_bytes())
        .collect();
    Digest::of("mesh-node llama prompt v1", &[&bytes])
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// When a slot is likely: a worker that keeps to the slots never hears of it.
const BUSY_MS: u32 = 100;
const NO_MARKS: &str = "the messages hold too many characters of a private plane";
const EMPTY: &str = "there is nothing to continue";
