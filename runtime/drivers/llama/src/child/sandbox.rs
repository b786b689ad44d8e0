//! What the engine's process gives up before it reads a file of a stranger.
//!
//! It dies with its parent, writes no file, gains no privilege, opens no socket and starts no
//! program. Landlock lets it read its models and the machine's description, and nothing else.

use crate::protocol::Setup;
use std::io::Write;

/// Asks to be killed when the parent's thread ends. A parent that is gone already has closed the
/// pipe, which is read next.
pub(super) fn follow_parent() -> Result<(), String> {
    #[cfg(target_os = "linux")]
    linux::follow_parent().map_err(|error| format!("no signal at the parent's death: {error}"))?;
    Ok(())
}

/// Gives up all that serving `setup` does not need. Threads that start later inherit it.
pub(super) fn enter(setup: &Setup) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    linux::enter(setup)?;
    #[cfg(not(target_os = "linux"))]
    log("the engine's process is not confined on this platform");
    let _ = setup;
    Ok(())
}

/// One line to the parent's log.
pub(super) fn log(line: &str) {
    // Without a log there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Ends the process at once: no destructor of llama.cpp runs beside a computation.
pub(super) fn end() -> ! {
    #[cfg(target_os = "linux")]
    linux::kill_self();
    std::process::abort()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::log;
    use crate::protocol::Setup;
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, path_beneath_rules,
    };
    use rustix::process::{
        Resource, Rlimit, Signal, getpid, kill_process, set_parent_process_death_signal, setrlimit,
    };
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };
    use std::collections::BTreeMap;

    pub(super) fn follow_parent() -> rustix::io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))
    }

    pub(super) fn kill_self() {
        // Where it fails, the caller aborts.
        let _ = kill_process(getpid(), Signal::KILL);
    }

    pub(super) fn enter(setup: &Setup) -> Result<(), String> {
        for (resource, limit) in LIMITS {
            let limit = Rlimit {
                current: Some(limit),
                maximum: Some(limit),
            };
            setrlimit(resource, limit).map_err(|error| format!("no limit set: {error}"))?;
        }
        confine(setup)
    }

    /// What holds for this thread and those that it starts.
    fn confine(setup: &Setup) -> Result<(), String> {
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| format!("privileges cannot be given up: {error}"))?;
        match confine_files(setup) {
            Ok(RulesetStatus::FullyEnforced) => {}
            Ok(RulesetStatus::PartiallyEnforced) => {
                log("this kernel confines the engine's process to its files in part");
            }
            Ok(RulesetStatus::NotEnforced) => {
                log("this kernel does not confine the engine's process to its files");
            }
            Err(error) => log(&format!("the engine's files are not confined: {error}")),
        }
        if let Err(error) = confine_calls() {
            log(&format!(
                "the engine's system calls are not confined: {error}"
            ));
        }
        Ok(())
    }

    fn confine_files(setup: &Setup) -> Result<RulesetStatus, RulesetError> {
        let models = setup.models.iter().map(|model| model.path.to_string());
        let machine = MACHINE.iter().map(|path| (*path).to_owned());
        let readable: Vec<String> = models.chain(machine).collect();
        let gpu = setup.gpu_layers > 0;
        let libraries = if gpu { GPU_READABLE } else { &[] };
        let devices = if gpu { GPU_WRITABLE } else { &[] };
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .create()?
            .add_rules(path_beneath_rules(
                readable,
                AccessFs::ReadFile | AccessFs::ReadDir,
            ))?
            .add_rules(path_beneath_rules(libraries, AccessFs::from_read(KNOWN)))?
            .add_rules(path_beneath_rules(devices, AccessFs::from_all(KNOWN)))?
            .restrict_self()?;
        Ok(status.ruleset)
    }

    fn confine_calls() -> Result<(), String> {
        let me = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
        let others = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, me)
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .map_err(|error| error.to_string())?;
        let rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED
            .iter()
            .map(|call| (*call, Vec::new()))
            .chain(SIGNALS.iter().map(|call| (*call, vec![others.clone()])))
            .collect();
        let arch = std::env::consts::ARCH;
        let arch = arch
            .try_into()
            .map_err(|_| format!("{arch} has no filter"))?;
        let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)
            .map_err(|error| error.to_string())?;
        let program = BpfProgram::try_from(filter).map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())
    }

    /// No core file with a prompt in it, no file written, and as many open files as a large set
    /// of models and devices takes.
    const LIMITS: [(Resource, u64); 3] = [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 256),
    ];
    /// The newest rules that are asked for; an older kernel enforces what it knows.
    const KNOWN: ABI = ABI::V5;
    /// Where ggml and the C library learn about processors and memory.
    const MACHINE: [&str; 2] = ["/proc", "/sys"];
    /// The libraries that a GPU's driver loads by itself.
    const GPU_READABLE: &[&str] = &["/usr", "/lib", "/lib64", "/etc", "/opt"];
    /// The devices of a GPU.
    const GPU_WRITABLE: &[&str] = &["/dev"];
    /// Sockets, programs, other processes, and the ways round these rules.
    const DENIED: [i64; 20] = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_io_uring_setup,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_mount,
        libc::SYS_unshare,
    ];
    /// A signal may go to this process itself: an abort is one.
    const SIGNALS: [i64; 4] = [
        libc::SYS_kill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
    ];

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::protocol::ModelSetup;
        use messages::{Label, List, ModelId};
        use std::fs::File;
        use std::net::{TcpListener, UdpSocket};
        use std::os::unix::net::UnixStream;
        use std::path::PathBuf;

        fn setup(model: &str) -> Setup {
            let path = Label::try_from(model).unwrap();
            let model = ModelSetup {
                id: ModelId([0; 32]),
                path,
                context: 16,
                template: None,
            };
            let models = List::truncated([model]);
            Setup {
                threads: 1,
                slots: 1,
                chunk: 1,
                exact: true,
                gpu_layers: 0,
                models,
            }
        }

        #[test]
        fn a_confined_thread_reads_its_model_and_nothing_else() {
            let folder: PathBuf = std::env::temp_dir().join(format!("box-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let (model, other) = (folder.join("model"), folder.join("other"));
            std::fs::write(&model, b"model").unwrap();
            std::fs::write(&other, b"other").unwrap();
            let files = (model.clone(), other);
            std::thread::spawn(move || {
                let setup = setup(files.0.to_str().unwrap());
                let enforced = confine_files(&setup).unwrap() != RulesetStatus::NotEnforced;
                confine(&setup).unwrap();
                assert!(File::open(&files.0).is_ok());
                assert!(File::open("/proc/cpuinfo").is_ok());
                // Where the kernel knows no Landlock, the log says so and only sockets are closed.
                assert_eq!(File::open(&files.1).is_err(), enforced);
                assert_eq!(File::create(&files.0).is_err(), enforced);
                assert!(TcpListener::bind("127.0.0.1:0").is_err());
                assert!(UdpSocket::bind("127.0.0.1:0").is_err());
                assert!(UnixStream::pair().is_err());
                assert!(std::process::Command::new("/bin/true").spawn().is_err());
                let parent = rustix::process::getppid().unwrap();
                assert!(kill_process(parent, Signal::CONT).is_err());
                assert!(kill_process(getpid(), Signal::CONT).is_ok());
            })
            .join()
            .unwrap();
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}
