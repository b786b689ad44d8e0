//! What nodes say of themselves, and what they hold of others.

use super::Mesh;
use crate::event::NodeIndex;
use messages::gossip_store::{AdminRequest, Fact, Input, Setting};
use messages::ports::store::Asker;
use messages::{Address, Kind, Label, Letter, QueryId, RecordClass, SignedRecord};

/// What a record of the simulated world is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A session: every member may hold it.
    Session,
    /// A prompt: members that share may.
    Prompt,
}

impl About {
    /// Its kind, and who may hold it.
    #[must_use]
    pub const fn kind(self) -> (Kind, RecordClass) {
        match self {
            Self::Session => (Kind::SESSION_CATALOG, RecordClass::Public),
            Self::Prompt => (Kind::PROMPT, RecordClass::Gated),
        }
    }
}

impl Mesh {
    /// A node says this of itself, under each of these ids; without a value it withdraws it.
    pub fn publish(
        &mut self,
        node: NodeIndex,
        about: About,
        ids: impl IntoIterator<Item = u64>,
        value: Option<&str>,
    ) {
        let (kind, class) = about.kind();
        let fact = |id: u64| Fact {
            class,
            kind,
            id: Label::truncated(&id.to_string()),
            value: value.map(|value| value.as_bytes().to_vec().into()),
            after: messages::Stamp(0),
            expects: None,
        };
        let facts = ids.into_iter().map(fact).collect();
        self.tell_records(node, Input::Publish(facts));
    }

    /// A human chooses whether gated records cross to and from a node, as soon as that is durable.
    pub fn share(&mut self, node: NodeIndex, shares: bool) {
        let set = AdminRequest::Set(vec![Setting::AutoGossip(shares)]);
        self.ask_records(node, set);
    }

    /// A human asks something of a node's records. Nobody reads the answer.
    pub fn ask_records(&mut self, node: NodeIndex, request: AdminRequest) {
        let input = Input::Admin {
            query: QueryId(u64::MAX),
            asker: messages::observer::Asker::Control,
            request: Box::new(request),
        };
        self.tell_records(node, input);
    }

    fn tell_records(&mut self, node: NodeIndex, input: Input) {
        self.tell(node, Letter::GossipStore(self.network, input));
    }

    /// The newest record of each register, as a node's disk has it.
    #[must_use]
    pub fn records(&self, node: NodeIndex) -> Vec<SignedRecord> {
        let disk = &self.world.nodes[node].disk;
        let rows = disk.load(Asker::GossipStore(self.network));
        let records = rows.iter();
        records
            .filter_map(|(_, value)| postcard::from_bytes(value).ok())
            .collect()
    }

    /// What a node's disk says that an author said under an id; nothing where it withdrew it, too.
    #[must_use]
    pub fn record(
        &self,
        node: NodeIndex,
        author: NodeIndex,
        about: About,
        id: u64,
    ) -> Option<String> {
        let (author, (kind, _)) = (self.id(author), about.kind());
        let id = id.to_string();
        let mut found = self.records(node).into_iter().map(|signed| signed.record);
        let found = found.find(|record| {
            (record.author, record.kind, &*record.id) == (author, kind, id.as_str())
        });
        let value = found.and_then(|record| record.value)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// A figure of a node's gossip store.
    #[must_use]
    pub fn record_fact(&self, node: NodeIndex, name: &str) -> Option<String> {
        let facts = self.facts(node, Address::GossipStore(self.network));
        let found = facts.into_iter().find(|(of, _)| *of == name);
        found.map(|(_, value)| value)
    }

    /// Whether two nodes hold the same records.
    #[must_use]
    pub fn holds_the_same(&self, one: NodeIndex, other: NodeIndex) -> bool {
        let root = |node| self.record_fact(node, "root");
        root(one).is_some() && root(one) == root(other)
    }
}
