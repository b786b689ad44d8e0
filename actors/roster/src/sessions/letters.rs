//! Letters to sessions, and what is done where one comes back.

use super::State;
use crate::Roster;
use kernel::{How, Outbox, ReturnReason};
use messages::peer_session;
use messages::ports::transport::Command;
use messages::{Address, Label, Letter, LinkId, Micros, NodeId, Now};

impl Roster {
    /// A letter to a session came back.
    pub(crate) fn on_session_returned(
        &mut self,
        now: Now,
        peer: NodeId,
        input: &peer_session::Input,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        match input {
            peer_session::Input::Link { link, dialled } if why == ReturnReason::NoActor => {
                kernel::sometimes!(true, "roster: a link comes too late for its session");
                match self.sessions.map.get(&peer).map(|session| session.state) {
                    // Its Down is on the way: the link is for the next session.
                    Some(State::Shaking | State::Active(_)) => {
                        self.sessions
                            .set(peer, State::Ending(Some((*link, *dialled))));
                    }
                    Some(State::Ending(_)) => self.on_link_up(now, peer, *link, *dialled, out),
                    None => self.close(*link, "the session is over", out),
                }
            }
            peer_session::Input::Link { link, .. } => self.close(*link, "no room", out),
            // Whoever must go goes, whatever its mailbox holds.
            peer_session::Input::Cut(_) if why != ReturnReason::NoActor => self.kick(peer, out),
            // A hole in what the session was told: tell it all again.
            peer_session::Input::Introduce(_) | peer_session::Input::Revoke(_)
                if why == ReturnReason::Busy && self.sessions.is_active(peer) =>
            {
                kernel::sometimes!(true, "roster: a session is told all again");
                self.catch_up.begin(peer);
                self.catch_up_at = Some(now.mono + FULL_AGAIN);
            }
            peer_session::Input::Introduce(_)
            | peer_session::Input::Revoke(_)
            | peer_session::Input::Cut(_)
            | peer_session::Input::LinkDown { .. }
            | peer_session::Input::Frame { .. }
            | peer_session::Input::BadFrame { .. }
            | peer_session::Input::Path { .. }
            | peer_session::Input::Inbound { .. }
            | peer_session::Input::Opened { .. }
            | peer_session::Input::OpenFailed { .. }
            | peer_session::Input::Verdict(_)
            | peer_session::Input::Load(_)
            | peer_session::Input::Serves(_)
            | peer_session::Input::Release
            | peer_session::Input::Gossip(_)
            | peer_session::Input::Open { .. }
            | peer_session::Input::Leave => {}
        }
    }

    /// Ends a session that cannot be reached by letter.
    fn kick(&mut self, peer: NodeId, out: &mut Outbox) {
        kernel::sometimes!(true, "roster: a session is ended by force");
        let links = self
            .sessions
            .map
            .get(&peer)
            .map(|session| session.links.clone());
        out.stop(self.session_address(peer), How::Kill);
        for (link, _) in links.unwrap_or_default() {
            self.close(link, "no member any more", out);
        }
    }

    pub(crate) const fn session_address(&self, peer: NodeId) -> Address {
        Address::Session(self.seed.network, peer)
    }

    pub(crate) fn to_session(&self, peer: NodeId, input: peer_session::Input, out: &mut Outbox) {
        out.tell(Letter::Session(self.seed.network, peer, input));
    }

    pub(crate) fn close(&self, link: LinkId, why: &str, out: &mut Outbox) {
        let (network, why) = (self.seed.network, Label::truncated(why));
        out.tell(Letter::Transport(Command::Close { link, network, why }));
    }
}

/// After this a session without room is told again.
const FULL_AGAIN: Micros = Micros::from_secs(1);
