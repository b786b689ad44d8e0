//! The nodes that are measured.

use anyhow::{Context, Result, ensure};
use system_tests::{Folder, Node, run};
use tokio::runtime::{Builder, Runtime};

/// A, which has the engine, and B, which has none and answers with A's.
#[derive(Debug)]
pub(crate) struct Pair {
    // Nodes go before their homes.
    pub(crate) b: Node,
    pub(crate) a: Node,
    home: Folder,
    _other: Folder,
}

impl Pair {
    /// At 0 tokens a second the engine costs next to nothing.
    pub(crate) fn start(tokens_per_second: u32) -> Result<Self> {
        let (home, other) = (Folder::new(), Folder::new());
        let rate = tokens_per_second.to_string();
        let engine = [
            "--engine",
            "scripted",
            "--model",
            "scripted",
            "--scripted-rate",
            &rate,
        ];
        let a = Node::serve(home.path(), &engine);
        let b = Node::serve(other.path(), &["--join", &ticket(&home)?]);
        b.wait_for_model("scripted", true);
        let (home, _other) = (home, other);
        Ok(Self { b, a, home, _other })
    }

    /// One more node of the network, without an engine.
    pub(crate) fn join(&self) -> Result<(Node, Folder)> {
        let home = Folder::new();
        let node = Node::serve(home.path(), &["--join", &ticket(&self.home)?]);
        Ok((node, home))
    }
}

fn ticket(home: &Folder) -> Result<String> {
    let output = run(home.path(), &["ticket", "new"]);
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A chat that is answered with so many tokens.
pub(crate) fn chat(tokens: u32, streamed: bool) -> String {
    let message = r#"{"role":"user","content":"hello"}"#;
    let head = format!(r#""model":"scripted","messages":[{message}],"seed":7"#);
    format!(r#"{{{head},"max_tokens":{tokens},"stream":{streamed}}}"#)
}

/// What a client runs on: one thread, so that it takes no core from the nodes that it can spare.
pub(crate) fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.context("a runtime")
}
