//! What an engine is started with.

use crate::models::ModelFile;
use messages::{DeviceId, Micros};

/// What an engine is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlamaConfig {
    /// Whose engine it is.
    pub device: DeviceId,
    /// What it serves.
    pub models: Vec<ModelFile>,
    /// The program and its first arguments; [`ENGINE_MARKER`](crate::ENGINE_MARKER) follows.
    /// Empty: no engine can be started, and the driver says so.
    pub engine_command: Vec<String>,
    /// Threads of computation. More than one spin at barriers: on cores that others use too they
    /// cost more than they give.
    pub threads: u32,
    /// Tokens of context at most, where a model allows more: each slot takes memory for all.
    pub context_max: u32,
    /// Jobs that may be begun at once, per model: the worker's slots.
    pub slots: u32,
    /// Tokens of a prompt that are read at once.
    pub chunk: u32,
    /// Whether a resumed answer is byte-identical to an unbroken one: each sequence is decoded
    /// alone, and resumed tokens one by one as they were drawn. Without it jobs share decode
    /// steps and resumed tokens are read in chunks, which is faster on large models, and rounds
    /// differently.
    pub exact: bool,
    /// Layers that are put on a GPU, where one was built in.
    pub gpu_layers: u32,
    /// How long the child may owe an answer without a sign. It gives one every 100 ms while it
    /// computes on processors; on a GPU, with every chunk and step.
    pub silence_max: Micros,
    /// Variables for the child besides the allowlist, such as `CUDA_VISIBLE_DEVICES`.
    pub environment: Vec<(String, String)>,
}

impl LlamaConfig {
    /// One thread, one slot, a context of at most 8,192 tokens, exact.
    #[must_use]
    pub const fn new(
        device: DeviceId,
        models: Vec<ModelFile>,
        engine_command: Vec<String>,
    ) -> Self {
        Self {
            device,
            models,
            engine_command,
            threads: 1,
            context_max: 8_192,
            slots: 1,
            chunk: 128,
            exact: true,
            gpu_layers: 0,
            silence_max: SILENCE_MAX,
            environment: Vec::new(),
        }
    }

    /// What is wrong with it, in a sentence.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        if self.engine_command.is_empty() {
            return Some(NO_COMMAND);
        }
        if self.models.is_empty() || self.models.len() > messages::limits::MODELS_MAX {
            return Some("an engine serves between 1 and 64 models");
        }
        let ranges = [
            (self.threads, 1, THREADS_MAX),
            (self.slots, 1, SLOTS_MAX),
            (self.chunk, 1, CHUNK_MAX),
            (self.context_max, CONTEXT_MIN, CONTEXT_MAX),
        ];
        let outside = ranges
            .iter()
            .any(|(value, min, max)| value < min || value > max);
        outside.then_some("threads, slots, chunk or context_max of the engine is out of range")
    }
}

const NO_COMMAND: &str = "the llama engine needs its command line in the configuration, or \
    node::engine_main() first in main";
/// The largest machines in use.
const THREADS_MAX: u32 = 512;
/// llama.cpp's own limit of sequences (`LLAMA_MAX_SEQ`).
const SLOTS_MAX: u32 = 256;
/// llama.cpp's own default of a physical batch.
const CHUNK_MAX: u32 = 512;
/// A prompt and an answer of some words.
const CONTEXT_MIN: u32 = 16;
/// As many as a request may have.
const CONTEXT_MAX: u32 = 131_072;
/// Shorter than the worker's own 30 s, so that it learns the reason.
const SILENCE_MAX: Micros = Micros::from_secs(20);
