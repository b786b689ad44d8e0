//! The simulated server takes text as the real one does: no hole passes for an answer.

use super::*;

const REQUEST: RequestId = RequestId { boot: 1, n: 1 };

/// What a client sees of these commands, and the letters that its request gets.
fn after(commands: impl IntoIterator<Item = Command>) -> (Answer, usize) {
    let mut gateway = Gateway::default();
    gateway.answers.insert(REQUEST, Answer::asked(0));
    let mut out = DriverOut::default();
    for command in commands {
        gateway.command(0, command, &mut out);
    }
    (gateway.answers.remove(&REQUEST).unwrap(), out.effects.len())
}

fn delta(offset: u64, text: &str) -> Command {
    Command::Delta {
        request: REQUEST,
        offset,
        text: text.into(),
    }
}

fn finished(total: u64) -> Command {
    Command::Finished {
        request: REQUEST,
        reason: EndReason::Stop,
        usage: Usage::default(),
        total,
        seam: Seam::default(),
    }
}

#[test]
fn a_repeat_is_skipped() {
    let deltas = [
        delta(0, "one"),
        delta(0, "one"),
        delta(3, "two"),
        delta(3, "tw"),
    ];
    let (answer, told) = after(deltas.into_iter().chain([finished(6)]));
    assert!(matches!(answer.state, State::Finished { .. }));
    assert_eq!((&*answer.text, answer.ends, told), ("onetwo", 1, 0));
}

#[test]
fn a_hole_is_one_error_and_nothing_follows() {
    let gap = vec![
        delta(0, "one"),
        delta(4, "wo"),
        delta(3, "two"),
        finished(6),
    ];
    let cut = vec![delta(0, "one"), finished(6)];
    let torn = vec![delta(0, "one"), delta(2, "etwo"), finished(6)];
    for commands in [gap, cut, torn] {
        let (answer, told) = after(commands);
        assert_eq!(answer.state, State::Failed(Failure::Internal));
        assert_eq!((&*answer.text, answer.ends, told > 0), ("one", 1, true));
    }
}

#[test]
fn a_client_whose_server_died_sees_one_end() {
    let mut gateway = Gateway::default();
    gateway.answers.insert(REQUEST, Answer::asked(0));
    let mut gateway = gateway.renewed();
    let started = Command::Started {
        request: REQUEST,
        served_by: NodeId([1; 32]),
        model: kernel::scripted::advert().into(),
    };
    gateway.command(0, started, &mut DriverOut::default());
    let answer = &gateway.answers[&REQUEST];
    assert_eq!((&answer.state, answer.ends), (&State::Broken, 1));
}

impl Gateway {
    /// Lets so many bytes wait for a client: a bug that the checkers are to catch.
    pub(crate) fn stuff(&mut self, bytes: usize) {
        let (reader, _) = self.readers.entry(REQUEST).or_default();
        *reader = Reader::stuffed(bytes);
    }
}
