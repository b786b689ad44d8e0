//! The table of the crate's page, cell by cell.

use super::*;
use kernel::{Exit, ReturnReason};
use messages::wire::latest::{AskId, Entry, Part};
use messages::{Address, Digest, Prefix};

kernel::page_rows!(rows_of, TOLD, Input {
    Input::Loaded(_) => ["Loaded", "Loaded, neighbour"],
    Input::Committed(_) => ["Committed", "Committed, own"],
    Input::CommitFailed(_) => ["CommitFailed"],
    Input::Members(_) => ["Members"],
    Input::Member(_) => ["Member", "Member, held"],
    Input::Stranger(_) => ["Stranger"],
    Input::NotVouched { .. } => ["NotVouched", "NotVouched, last"],
    Input::Vouched(_) => ["Vouched", "Vouched, held"],
    Input::Revoked(_) => ["Revoked", "Revoked, vouched"],
    Input::Active(_) => ["Active", "Active, later"],
    Input::Gone(_) => ["Gone"],
    Input::Heard(..) => [
        "News",
        "News, known",
        "News, not heard of",
        "Roots, other",
        "Roots, equal",
        "Compare",
        "Want",
        "Differ, asked",
        "Have, asked",
        "Who, vouched",
        "Who, member",
        "Credentials, asked",
        "not asked for",
        "of a stranger",
    ],
    Input::Publish(_) => ["Publish", "Publish, as it is"],
    Input::Admin { .. } => ["Read", "Say", "Say, as it is", "Set"],
});
kernel::page_rows!(rows_of_signal, SIGNALLED, Signal {
    Signal::Started(_) => ["Started"],
    Signal::Down { .. } => ["Down"],
    Signal::Returned { .. } => ["Commit returned", "Another returned"],
});
/// The row of time that passes.
const DEADLINES: &[&str] = &["Deadline"];

fn page() -> Vec<Vec<&'static str>> {
    let lines = include_str!("../lib.rs").lines();
    let rows = lines.filter_map(|line| line.strip_prefix("//! |"));
    let cells = |row: &'static str| {
        row.trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect()
    };
    rows.map(cells).collect()
}

/// A store, a disk that answers by hand, one neighbour that is read and one that is not, and a
/// record of its own and of each of both.
struct Stage {
    world: World,
    question: Option<Gossip>,
}

impl Stage {
    fn in_phase(phase: &str) -> Self {
        let mut world = World::new(4);
        world.nodes[0].disk = None;
        if phase == "open" {
            world.publish(0, "mine", Some("x"));
            world.nodes[0].disk = Some(true);
            world.flush(0);
            world.nodes[0].disk = None;
            world.now.mono = world.now.mono + Micros::from_millis(500);
            world.wake(0);
        } else {
            // A life that nobody answers yet.
            world.nodes[0].store = store(0, true);
            let (now, mut out) = (world.now, Outbox::new());
            let members = Input::Members((0..4).map(id).collect());
            world.nodes[0].store.handle(now, members, &mut out).unwrap();
        }
        world.tell(0, Input::Active(id(1)));
        let question = world.air.back().map(|(_, _, said)| said.clone());
        world.air.clear();
        Self { world, question }
    }

    fn ask(&self) -> AskId {
        match &self.question {
            Some(Gossip::Compare { ask, .. }) => *ask,
            _ => AskId(1),
        }
    }

    fn hear(&mut self, n: u8, gossip: Gossip) -> (Vec<&'static str>, Vec<Effect>) {
        self.tell(Input::Heard(id(n), Box::new(gossip)))
    }

    fn tell(&mut self, input: Input) -> (Vec<&'static str>, Vec<Effect>) {
        let rows = rows_of(&input).to_vec();
        (rows, self.world.tell(0, input))
    }

    fn signal(&mut self, signal: Signal) -> (Vec<&'static str>, Vec<Effect>) {
        let rows = rows_of_signal(&signal).to_vec();
        (rows, self.world.signal(0, signal))
    }

    /// The newest commit.
    fn token(&self) -> Token {
        let last = self.world.nodes[0].commits.back();
        last.map_or(Token(0), |(token, _)| *token)
    }

    fn check(&mut self, input: &str) -> (Vec<&'static str>, Vec<Effect>) {
        match input {
            "Started" => self.signal(Signal::Started(Incarnation { boot: 1, n: 2 })),
            "Loaded" => {
                self.world.tell(0, Input::Gone(id(1)));
                self.tell(Input::Loaded(Vec::new()))
            }
            "Loaded, neighbour" => self.tell(Input::Loaded(Vec::new())),
            "Committed" => self.tell(Input::Committed(Token(0))),
            "Committed, own" => {
                self.world.publish(0, "more", Some("x"));
                let token = self.token();
                let (rows, mut effects) = self.tell(Input::Committed(token));
                assert_eq!(words(&effects), "·");
                if self.world.nodes[0].store.own.say_at().is_some() {
                    self.world.now.mono = self.world.now.mono + Micros::from_millis(500);
                    effects.extend(self.world.wake(0));
                }
                (rows, effects)
            }
            "CommitFailed" => {
                self.world.publish(0, "more", Some("x"));
                let token = self.token();
                self.tell(Input::CommitFailed(token))
            }
            "Members" => self.tell(Input::Members((0..4).map(id).collect())),
            "Member" => self.tell(Input::Member(id(8))),
            "Member, held" => {
                self.hold();
                self.tell(Input::Member(id(8)))
            }
            "Active" => {
                self.world.tell(0, Input::Gone(id(1)));
                self.tell(Input::Active(id(2)))
            }
            "Active, later" => {
                self.world.now.mono = self.world.now.mono + Micros::from_secs(6);
                self.tell(Input::Active(id(2)))
            }
            "Gone" => self.tell(Input::Gone(id(1))),
            "Publish" => self.tell(Input::Publish(vec![fact("more", Some("x"))])),
            "Publish, as it is" => self.tell(Input::Publish(vec![fact("mine", Some("x"))])),
            "Down" => self.signal(Signal::Down {
                who: Address::Store,
                incarnation: None,
                why: Exit::Killed,
            }),
            "Commit returned" => {
                self.world.publish(0, "more", Some("x"));
                let token = self.token();
                self.returned(Command::Commit {
                    asker: OfStore::GossipStore(NETWORK),
                    token,
                    writes: Vec::new(),
                })
            }
            "Another returned" => self.returned(Command::Load(OfStore::GossipStore(NETWORK))),
            "Deadline" => {
                // Long enough for whatever it waits for.
                self.world.now.mono = self.world.now.mono + Micros::from_secs(61);
                (DEADLINES.to_vec(), self.world.wake(0))
            }
            other => self.check_author(other),
        }
    }

    /// What a human asks, and what the roster says of authors.
    fn check_author(&mut self, input: &str) -> (Vec<&'static str>, Vec<Effect>) {
        match input {
            "Read" => self.tell(admin(1, AdminRequest::Read(Kind::PROMPT))),
            "Say" => self.tell(admin(1, AdminRequest::Say(vec![fact("more", Some("x"))]))),
            "Say, as it is" => {
                self.tell(admin(1, AdminRequest::Say(vec![fact("mine", Some("x"))])))
            }
            "Set" => self.tell(admin(
                1,
                AdminRequest::Set(vec![Setting::AutoGossip(false)]),
            )),
            "NotVouched" => {
                self.hold();
                self.world.tell(0, Input::Heard(id(2), Box::new(theirs())));
                self.not_vouched()
            }
            "NotVouched, last" => {
                self.hold();
                self.not_vouched()
            }
            "Vouched" => self.vouch(),
            "Vouched, held" => {
                self.hold();
                self.vouch()
            }
            "Revoked" => self.tell(Input::Revoked(vec![TicketKey([9; 32])])),
            "Revoked, vouched" => {
                self.vouch();
                let token = self.token();
                self.world.tell(0, Input::Committed(token));
                self.tell(Input::Revoked(vec![TicketKey([9; 32])]))
            }
            "Stranger" => self.tell(Input::Stranger(id(0))),
            heard => self.check_heard(heard),
        }
    }

    fn returned(&mut self, command: Command) -> (Vec<&'static str>, Vec<Effect>) {
        self.signal(Signal::Returned {
            letter: Box::new(Letter::Store(command)),
            why: ReturnReason::Busy,
        })
    }

    fn not_vouched(&mut self) -> (Vec<&'static str>, Vec<Effect>) {
        let (from, authors) = (id(1), vec![id(8)]);
        self.tell(Input::NotVouched { from, authors })
    }

    /// Two neighbours, and a record that one of them sends of somebody else.
    fn hold(&mut self) -> (Vec<&'static str>, Vec<Effect>) {
        self.world.tell(0, Input::Active(id(2)));
        self.hear(1, theirs())
    }

    fn vouch(&mut self) -> (Vec<&'static str>, Vec<Effect>) {
        self.tell(Input::Vouched(vec![(id(8), proof_by(9, id(8), None))]))
    }

    /// What a neighbour says.
    fn check_heard(&mut self, input: &str) -> (Vec<&'static str>, Vec<Effect>) {
        let (ask, news) = (self.ask(), record(1, "theirs", WALL, Some("y")));
        match input {
            "News" => {
                self.world.tell(0, Input::Active(id(2)));
                self.hear(1, Gossip::News(List::truncated([news])))
            }
            "News, known" => {
                let mine = self.world.registers(0).in_force().next().cloned();
                self.hear(1, Gossip::News(List::truncated(mine)))
            }
            "News, not heard of" => self.hold(),
            "Roots, other" => {
                self.world.tell(0, Input::Gone(id(1)));
                self.world.tell(0, Input::Active(id(1)));
                self.read_out();
                let roots = Roots {
                    public: Digest([9; 32]),
                    gated: None,
                };
                self.hear(1, Gossip::Roots(roots))
            }
            "Roots, equal" => {
                self.read_out();
                let roots = self.world.roots(0);
                self.hear(1, Gossip::Roots(roots))
            }
            "Compare" => {
                let places = List::truncated([(Prefix::ROOT, Digest([1; 32]))]);
                let class = RecordClass::Public;
                self.hear(1, Gossip::Compare { ask, class, places })
            }
            "Want" => {
                let (class, keys) = (RecordClass::Public, List::new());
                self.hear(1, Gossip::Want { ask, class, keys })
            }
            answer => self.check_answer(ask, answer),
        }
    }

    /// What it answers, and to what it was not asked.
    fn check_answer(&mut self, ask: AskId, input: &str) -> (Vec<&'static str>, Vec<Effect>) {
        let news = record(1, "theirs", WALL, Some("y"));
        let listed = Entry {
            key: news.record.key(),
            stamp: news.record.stamp,
            digest: Digest([1; 32]),
        };
        let entries = List::truncated([Part::Entries(List::truncated([listed]))]);
        match input {
            "Differ, asked" => self.hear(
                1,
                Gossip::Differ {
                    ask,
                    parts: entries,
                },
            ),
            "Have, asked" => {
                self.world.tell(0, Input::Active(id(2)));
                self.hear(
                    1,
                    Gossip::Differ {
                        ask,
                        parts: entries,
                    },
                );
                let ask = AskId(ask.0 + 1);
                let records = List::truncated([news]);
                self.hear(1, Gossip::Have { ask, records })
            }
            "not asked for" => {
                let ask = AskId(ask.0 + 7);
                self.hear(
                    1,
                    Gossip::Differ {
                        ask,
                        parts: entries,
                    },
                )
            }
            "Who, vouched" => {
                self.vouch();
                self.hear(1, Gossip::Who(List::truncated([id(8)])))
            }
            "Who, member" => self.hear(1, Gossip::Who(List::truncated([id(2)]))),
            "Credentials, asked" => {
                self.hold();
                // What is shown for somebody else is none of the answer.
                let shown = [7, 8].map(|n| (id(n), proof_by(9, id(n), None)));
                self.hear(1, Gossip::Credentials(List::truncated(shown)))
            }
            "of a stranger" => self.hear(3, Gossip::News(List::truncated([news]))),
            _ => panic!("the page names an input without a test: {input}"),
        }
    }

    /// Answers until nothing is asked any more.
    fn read_out(&mut self) {
        let mut ask = self.world.nodes[0].store.asks;
        for _ in 0..4 {
            let parts = List::truncated([Part::Same]);
            self.hear(
                1,
                Gossip::Differ {
                    ask: AskId(ask),
                    parts,
                },
            );
            ask = self.world.nodes[0].store.asks;
        }
    }
}

/// A record of somebody whom nobody has heard of.
fn theirs() -> Gossip {
    let news = record(8, "theirs", WALL, Some("y"));
    Gossip::News(List::truncated([news]))
}

fn words(effects: &[Effect]) -> String {
    let mut words: Vec<&str> = effects.iter().filter_map(word).collect();
    words.dedup();
    match words.is_empty() {
        true => "·".to_owned(),
        false => words.join(", "),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the effects that a gossip store has"
)]
fn word(effect: &Effect) -> Option<&'static str> {
    Some(match effect {
        Effect::Watch(_) => "watch",
        Effect::Tell(Letter::Store(Command::Load(_))) => "load",
        Effect::Tell(Letter::Roster(_, roster::Input::Vouch { .. })) => "vouch",
        Effect::Tell(Letter::Roster(_, roster::Input::Who { .. })) => "who",
        Effect::Tell(Letter::Store(Command::Commit { .. })) => "write",
        Effect::Tell(Letter::Session(_, _, peer_session::Input::Gossip(said))) => match &**said {
            Gossip::News(_) => "news",
            Gossip::Roots(_) => "roots",
            Gossip::Compare { .. } | Gossip::Want { .. } => "read",
            Gossip::Who(_) => "who",
            Gossip::Differ { .. } | Gossip::Have { .. } | Gossip::Credentials(_) => "answer",
        },
        Effect::Tell(Letter::Control(control::Command::Answer { answer, .. })) => match &**answer {
            Answer::Shared(_) => "shared",
            Answer::Done => "done",
            Answer::Refused(_) => "refused",
            other => panic!("unexpected: {other:?}"),
        },
        other => panic!("unexpected: {other:?}"),
    })
}

#[test]
fn every_cell_of_the_page_holds() {
    let page = page();
    let (head, rows) = page.split_first().unwrap();
    assert_eq!(head, &["input", "loading", "open"]);
    for row in &rows[1..] {
        assert_eq!(row.len(), head.len(), "a row with a missing cell: {row:?}");
        for (phase, cell) in head.iter().zip(row).skip(1) {
            let mut stage = Stage::in_phase(phase);
            let (told, effects) = stage.check(row[0]);
            let cell = cell.trim_start_matches("later ");
            assert_eq!(words(&effects), cell, "{} while {phase}", row[0]);
            assert!(told.contains(&row[0]), "{} is another input", row[0]);
        }
    }
    let of_all: BTreeSet<&str> = [TOLD, SIGNALLED, DEADLINES].concat().into_iter().collect();
    let named: BTreeSet<&str> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(named, of_all, "the rows");
}
