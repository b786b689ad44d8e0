//! Requests, tokens, streams, queues.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a plant changes one sort of mail or effect and leaves all others alone"
)]

use super::{caught, ears, hands, met};
use crate::{Ask, Mesh, millis, secs};
use kernel::{Effect, How, Mail};
use messages::observer::{FactKey, Input as Observed};
use messages::peer_session::Input as Session;
use messages::ports::gateway::Command;
use messages::ports::stream::Command as OfStream;
use messages::request_proxy::{Flow, Input as Proxy};
use messages::wire::latest::JobReply;
use messages::{Address, Letter, Micros, Text};

#[test]
fn a_driver_that_delivers_a_token_twice_is_caught() {
    let mut mesh = met(Mesh::seed(2).nodes(2));
    let mut deltas = 0;
    ears(&mut mesh, move |_, _, mail| match mail {
        Mail::Letter(Letter::Gateway(Command::Delta {
            request,
            offset,
            text,
        })) => {
            deltas += 1;
            let twice = [text.0.as_ref(), text.0.as_ref()].concat();
            let text = if deltas == 5 {
                Text(twice.into())
            } else {
                text
            };
            Mail::Letter(Letter::Gateway(Command::Delta {
                request,
                offset,
                text,
            }))
        }
        mail => mail,
    });
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(5));
    caught(&mesh, "tokens", "its text leaves the script at byte");
}

#[test]
fn an_answer_that_is_cut_short_is_caught() {
    let mut mesh = met(Mesh::seed(2).nodes(2));
    hands(&mut mesh, |_, _, effect| match effect {
        Effect::Tell(Letter::Proxy(request, Proxy::Reply(JobReply::Tokens(batch)))) => {
            // The engine's last word comes early, and all believe it.
            if batch.first >= 10 {
                let end = messages::wire::latest::End {
                    attempt: batch.attempt,
                    reason: messages::EndReason::Length,
                    tokens: batch.first,
                };
                return vec![Effect::Tell(Letter::Proxy(
                    request,
                    Proxy::Reply(JobReply::End(end)),
                ))];
            }

            vec![Effect::Tell(Letter::Proxy(
                request,
                Proxy::Reply(JobReply::Tokens(batch)),
            ))]
        }
        effect => vec![effect],
    });
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(5));
    caught(&mesh, "tokens", "it finished after");
}

#[test]
fn a_request_that_ends_twice_is_caught() {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    hands(&mut mesh, |_, _, effect| match &effect {
        Effect::Tell(Letter::Gateway(Command::Finished { .. })) => vec![effect.clone(), effect],
        _ => vec![effect],
    });
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(5));
    caught(&mesh, "requests end once", "request 1-1 ended 2 times");
}

#[test]
fn a_request_that_never_ends_is_caught() {
    let mut mesh = met(Mesh::seed(3).nodes(2));
    hands(&mut mesh, |_, _, effect| match effect {
        Effect::Tell(Letter::Gateway(Command::Finished { .. })) => Vec::new(),
        Effect::Stop(Address::Proxy(_), How::Drain) => Vec::new(),
        effect => vec![effect],
    });
    mesh.ask(1, Ask::new(1).max_tokens(24));
    mesh.run_for(secs(600));
    mesh.assert_clean();
    mesh.run_for(secs(6));
    caught(
        &mesh,
        "requests end once",
        "request 1-1 has no end in its time",
    );
}

#[test]
fn a_fact_that_somebody_else_writes_is_caught() {
    let mut mesh = met(Mesh::seed(4).nodes(2));
    hands(&mut mesh, |_, who, effect| match effect {
        // The router puts the roster's fact right.
        Effect::Tell(Letter::Observer(Observed::Fact(FactKey::Models, fact)))
            if who == Address::Router =>
        {
            let key = FactKey::Device(messages::DeviceId(0));
            vec![Effect::Tell(Letter::Observer(Observed::Fact(key, fact)))]
        }
        effect => vec![effect],
    });
    mesh.kill_actor(0, Address::Router);
    mesh.run_for(secs(2));
    caught(
        &mesh,
        "single writer",
        "told observer what is not its to say",
    );
}

#[test]
fn a_record_that_is_not_its_authors_is_caught() {
    let mut mesh = met(Mesh::seed(4).nodes(3));
    hands(&mut mesh, |node, _, effect| match effect {
        Effect::Tell(Letter::Session(network, peer, Session::Introduce(entries))) if node == 0 => {
            let mut entries = entries.into_vec();
            for entry in &mut entries {
                entry.record.record.stamp.0 += 1;
            }
            let entries = messages::List::truncated(entries);
            vec![Effect::Tell(Letter::Session(
                network,
                peer,
                Session::Introduce(entries),
            ))]
        }
        effect => vec![effect],
    });
    mesh.close(2);
    mesh.start(2);
    mesh.run_for(secs(5));
    caught(
        &mesh,
        "single writer",
        "it passes on a record that node 1 did not write",
    );
}

#[test]
fn a_stream_that_takes_more_than_its_window_is_caught() {
    for lax in [false, true] {
        let mut mesh = met(Mesh::seed(5).nodes(2).step(Micros(50)));
        for node in &mut mesh.world.nodes {
            node.boot.as_mut().unwrap().drivers.transport.lax = lax;
        }
        // Whoever asks does not read.
        hands(&mut mesh, |_, who, effect| {
            let unread = match &effect {
                Effect::Tell(Letter::Session(_, _, Session::Opened { stream, .. })) => {
                    let full = OfStream::Read(Flow::Full);
                    Some(Effect::Tell(Letter::Stream(*stream, full)))
                }
                _ => None,
            };
            assert!(unread.is_none() || who == Address::Transport);
            [Some(effect), unread].into_iter().flatten().collect()
        });
        mesh.ask(1, Ask::new(1).max_tokens(100_000));
        mesh.run_for(millis(900));
        assert!(mesh.drawn(0) > 2_000, "{} tokens", mesh.drawn(0));
        if lax {
            caught(&mesh, "credits", "are unread, where");
            caught(
                &mesh,
                "queues",
                "bytes too many wait at one end of a stream",
            );
        } else {
            let told = mesh.violations().iter();
            let told = told.filter(|it| ["credits", "queues"].contains(&it.checker));
            assert_eq!(told.count(), 0, "{:?}", mesh.violations());
        }
    }
}

/// Node 0 introduces itself to node 2, and its record is changed on its way.
fn introduced(change: impl Fn(&mut messages::SignedRecord) + 'static, sentence: &str) {
    let mut mesh = met(Mesh::seed(4).nodes(3));
    let author = mesh.id(0);
    hands(&mut mesh, move |node, _, mut effect| {
        if let Effect::Tell(Letter::Session(_, _, Session::Introduce(entries))) = &mut effect
            && node == 0
        {
            let mut changed = std::mem::take(entries).into_vec();
            for entry in &mut changed {
                if entry.record.record.author == author {
                    change(&mut entry.record);
                }
            }
            *entries = messages::List::truncated(changed);
        }
        vec![effect]
    });
    mesh.close(2);
    mesh.start(2);
    mesh.run_for(secs(5));
    caught(&mesh, "single writer", sentence);
}

#[test]
fn a_record_that_is_written_twice_is_caught() {
    let change = |record: &mut messages::SignedRecord| {
        let mut bytes = record.signature.to_bytes();
        bytes[0] ^= 1;
        record.signature = messages::Signature::from_bytes(&bytes);
    };
    introduced(change, "two records of node 0 have one stamp");
}

#[test]
fn a_record_that_goes_back_in_time_is_caught() {
    let change = |record: &mut messages::SignedRecord| record.record.stamp.0 -= 1;
    introduced(change, "its own record went back to an earlier stamp");
}
