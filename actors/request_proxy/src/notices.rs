//! What the client and the neighbours do: flow, deaths, and letters that came back.

use crate::RequestProxy;
use crate::hunt::Why;
use crate::tries::Loss;
use kernel::{Outbox, ReturnReason};
use messages::ports::gateway;
use messages::request_proxy::{Failure, Flow};
use messages::{Address, Letter, Mono, inference_worker, peer_session, router};

impl RequestProxy {
    pub(crate) fn on_client(&mut self, now: Mono, flow: Flow, out: &mut Outbox) {
        let full = matches!(flow, Flow::Full);
        if full == self.full {
            return;
        }
        self.full = full;
        if !full {
            // What passed was the client's time.
            self.progress(now);
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.flow(flow, out);
            if full {
                // Its silence is the client's doing.
                kernel::sometimes!(true, "request: the client is slow");
                self.hunt.stop();
            } else {
                attempt.resume(now);
            }
        } else if !full && self.hunt.is_held() {
            self.seek(now, out);
        }
    }

    pub(crate) fn on_down(&mut self, now: Mono, who: Address, out: &mut Outbox) {
        if who == Address::Gateway {
            return self.quit(out);
        }
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if let Address::Stream(stream) = who
            && attempt.is_at(stream)
        {
            kernel::sometimes!(true, "request: a stream goes down");
            attempt.close(now);
        } else if let Address::Worker(device) = who
            && matches!(attempt.via, router::Via::Local(_, serving) if serving == device)
        {
            self.lose(now, Loss::Failed, out);
        }
    }

    pub(crate) fn on_returned(
        &mut self,
        now: Mono,
        letter: Letter,
        why: ReturnReason,
        out: &mut Outbox,
    ) {
        match letter {
            Letter::Router(router::Input::Route(query)) => {
                if query.attempt == self.attempts + 1 && self.hunt.is_asked() {
                    self.found_nobody(now, Why::Lost, out);
                }
            }
            Letter::Worker(_, inference_worker::Input::Job { job, .. })
            | Letter::Session(_, _, peer_session::Input::Open { job, .. }) => {
                let loss = match why {
                    ReturnReason::Busy | ReturnReason::ParkFull => Loss::Busy(RETRY_AFTER_MS),
                    ReturnReason::NoActor | ReturnReason::StartFailed => Loss::Failed,
                };
                if self.is_current(job.id.attempt) {
                    self.lose(now, loss, out);
                }
            }
            Letter::Gateway(gateway::Command::Delta { .. }) => self.fail(Failure::Internal, out),
            // A neighbour that is gone is noticed by its Down.
            Letter::Router(_)
            | Letter::Worker(..)
            | Letter::Session(..)
            | Letter::Gateway(_)
            | Letter::Stream(..)
            | Letter::Roster(..)
            | Letter::GossipStore(..)
            | Letter::Proxy(..)
            | Letter::Observer(_)
            | Letter::Transport(_)
            | Letter::Engine(..)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }
}

/// What a client is told to wait where a neighbour had no room and named no time.
const RETRY_AFTER_MS: u32 = 1_000;
