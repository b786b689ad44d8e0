//! Supervisors: one ractor actor per branch of the tree. They start children and report their
//! exits; what follows from an exit is decided by the switchboard.

use crate::actor::{Died, Envelope, Host, HostArgs};
use crate::panics::bounded;
use kernel::{Child, Exit, Incarnation};
use messages::{Address, Branch};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where supervisors get bodies from and report to.
pub trait Nursery: Send + Sync {
    /// Builds what a child hosts.
    ///
    /// # Errors
    /// A sentence: the start failed.
    fn build(&self, child: &Child, life: Incarnation) -> Result<HostArgs, String>;
    /// A life began.
    fn started(&self, who: Address, life: Incarnation, actor: ActorRef<Envelope>);
    /// A life ended, or could not begin.
    fn exited(&self, who: Address, life: Incarnation, exit: Exit);
}

impl fmt::Debug for dyn Nursery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nursery")
    }
}

/// What a supervisor is told.
#[derive(Debug)]
pub enum Supervise {
    /// Start a child of this branch, or pass it down to the branch that it hangs on.
    Spawn(Arc<Child>, Incarnation),
}

/// The supervising actor.
#[derive(Debug)]
pub struct Supervisor {
    /// Which branch of the tree it is.
    pub branch: Branch,
    /// Where it gets bodies from and reports to.
    pub nursery: Arc<dyn Nursery>,
}

type Members = Arc<Mutex<BTreeMap<ActorId, (Address, Incarnation)>>>;

/// A supervisor's state.
#[derive(Debug, Default)]
pub struct SupervisorState {
    members: Members,
    branches: BTreeMap<Branch, (ActorRef<Supervise>, Members)>,
}

impl Actor for Supervisor {
    type Msg = Supervise;
    type State = SupervisorState;
    type Arguments = Members;

    async fn pre_start(
        &self,
        _me: ActorRef<Supervise>,
        members: Members,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        Ok(SupervisorState {
            members,
            branches: BTreeMap::new(),
        })
    }

    async fn handle(
        &self,
        me: ActorRef<Supervise>,
        message: Supervise,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        let Supervise::Spawn(child, life) = message;
        match self.next_towards(child.under) {
            None => self.spawn(&me, &child, life, state).await,
            Some(branch) => self.pass_down(&me, branch, child, life, state).await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<Supervise>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                // What is no host's own word is a panic with its text, which may be a user's.
                let exit = error.downcast::<Died>().map_or_else(
                    |_| Exit::Panicked("outside of a turn".to_owned()),
                    |died| died.0,
                );
                self.ended(&cell, &exit, state);
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                let exit = match reason.as_deref() {
                    Some("killed") => Exit::Killed,
                    Some(_) | None => Exit::Stopped,
                };
                self.ended(&cell, &exit, state);
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl Supervisor {
    /// The child branch on the way to `target`; nothing where this is it.
    fn next_towards(&self, target: Branch) -> Option<Branch> {
        let mut step = target;
        while step != self.branch {
            match step.parent() {
                Some(parent) if parent == self.branch => return Some(step),
                Some(parent) => step = parent,
                // Not below this one: it is served here rather than lost.
                None => return None,
            }
        }
        None
    }

    async fn spawn(
        &self,
        me: &ActorRef<Supervise>,
        child: &Arc<Child>,
        life: Incarnation,
        state: &SupervisorState,
    ) {
        let at = child.at;
        let args = match self.nursery.build(child, life) {
            Ok(args) => args,
            Err(why) => {
                return self
                    .nursery
                    .exited(at, life, Exit::StartFailed(bounded(why)));
            }
        };
        match Host::spawn_linked(None, Host, args, me.get_cell()).await {
            Ok((actor, _task)) => {
                lock(&state.members).insert(actor.get_id(), (at, life));
                self.nursery.started(at, life, actor);
            }
            Err(error) => {
                self.nursery
                    .exited(at, life, Exit::StartFailed(bounded(error.to_string())));
            }
        }
    }

    async fn pass_down(
        &self,
        me: &ActorRef<Supervise>,
        branch: Branch,
        child: Arc<Child>,
        life: Incarnation,
        state: &mut SupervisorState,
    ) {
        let message = Supervise::Spawn(Arc::clone(&child), life);
        let unsent = match state.branches.get(&branch) {
            Some((supervisor, _)) => match supervisor.cast(message) {
                Ok(()) => return,
                Err(_) => Supervise::Spawn(child, life),
            },
            None => message,
        };
        let members = Members::default();
        let supervisor = Self {
            branch,
            nursery: Arc::clone(&self.nursery),
        };
        let spawned =
            Self::spawn_linked(None, supervisor, Arc::clone(&members), me.get_cell()).await;
        let Supervise::Spawn(child, _) = &unsent;
        let at = child.at;
        match spawned {
            Ok((supervisor, _task)) if supervisor.cast(unsent).is_ok() => {
                state.branches.insert(branch, (supervisor, members));
            }
            Ok(_) | Err(_) => {
                let why = format!("the supervisor {branch} could not start");
                self.nursery.exited(at, life, Exit::StartFailed(why));
            }
        }
    }

    fn ended(&self, cell: &ActorCell, exit: &Exit, state: &mut SupervisorState) {
        if let Some((at, life)) = lock(&state.members).remove(&cell.get_id()) {
            return self.nursery.exited(at, life, exit.clone());
        }
        // A branch died: ractor killed its children without a word, so they are reported here.
        let branch = state
            .branches
            .iter()
            .find(|(_, (supervisor, _))| supervisor.get_id() == cell.get_id())
            .map(|(branch, _)| *branch);
        if let Some((_, members)) = branch.and_then(|branch| state.branches.remove(&branch)) {
            for (at, life) in std::mem::take(&mut *lock(&members)).into_values() {
                self.nursery.exited(at, life, Exit::Killed);
            }
        }
    }
}

fn lock(members: &Members) -> std::sync::MutexGuard<'_, BTreeMap<ActorId, (Address, Incarnation)>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
