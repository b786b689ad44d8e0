//! What nodes say when they refuse a job, end a session or cannot dial, and what they show of their
//! network.

use super::World;
use crate::event::NodeIndex;
use kernel::{Mail, Turn};
use messages::observer::{Fact, Input as Observed, NetworkFact};
use messages::peer_session::Ended;
use messages::ports::stream::Command;
use messages::ports::transport::DialError;
use messages::wire::latest::JobReply;
use messages::{Letter, NodeId, Refusal, roster};
use std::collections::BTreeMap;

/// What was said since somebody began to listen.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    /// Who refused a job that came by a stream, and why.
    pub(crate) refusals: Vec<(NodeIndex, Refusal)>,
    /// Whose session ended, with whom, and why.
    pub(crate) ends: Vec<(NodeIndex, NodeId, Ended)>,
    /// Whose roster was told last, of whom, why no connection came of a dial.
    pub(crate) dials: BTreeMap<(NodeIndex, NodeId), DialError>,
    /// What a node's observer was told last of its network.
    pub(crate) shown: BTreeMap<NodeIndex, NetworkFact>,
}

impl World {
    pub(super) fn hear_turn(&mut self, node: NodeIndex, turn: &Turn) {
        let Some(reasons) = &mut self.reasons else {
            return;
        };
        if let Turn::Letter(Letter::Roster(_, roster::Input::Ended { peer, why })) = turn {
            reasons.ends.push((node, *peer, why.clone()));
        }
        if let Turn::Letter(Letter::Roster(_, roster::Input::DialFailed { peer, why })) = turn {
            reasons.dials.insert((node, *peer), why.clone());
        }
        if let Turn::Letter(Letter::Observer(Observed::Fact(_, fact))) = turn
            && let Fact::Network(fact) = fact.as_ref()
        {
            reasons.shown.insert(node, fact.clone());
        }
    }

    pub(super) fn hear_mail(&mut self, node: NodeIndex, mail: &Mail) {
        let Some(reasons) = &mut self.reasons else {
            return;
        };
        let Mail::Letter(Letter::Stream(_, command)) = mail else {
            return;
        };
        match command {
            Command::Refuse(why) => reasons.refusals.push((node, why.clone())),
            Command::Reply(JobReply::Refused(refused)) => {
                reasons.refusals.push((node, refused.why.clone()));
            }
            Command::Reply(_) | Command::Serve(_) | Command::Cancel | Command::Read(_) => {}
        }
    }
}
