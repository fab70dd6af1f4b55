//! Processes that end with the one that started them, however that one ends. A program is started
//! through this same executable, which asks the system for that and then becomes the program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Names the program, in the environment of a process that is to become it.
const PROGRAM: &str = "SHAKEDOWN_GUARDED";
/// The process that it is to end with.
const PARENT: &str = "SHAKEDOWN_GUARDED_BY";

/// Whether this executable can be started again to become a program.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Becomes a program, if this process was started for that; else returns. To be called first in
/// `main`: without it, programs that are started outlive a process that is killed.
pub fn become_guarded() {
    SERVES.store(true, Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    if let Some(program) = std::env::var_os(PROGRAM) {
        use std::io::Write as _;
        use std::os::unix::process::CommandExt as _;
        let parent = std::env::var(PARENT).ok().and_then(|text| text.parse::<i32>().ok());
        let signal = Some(rustix::process::Signal::KILL);
        let asked = rustix::process::set_parent_process_death_signal(signal);
        let lives = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) == parent;
        if asked.is_ok() && lives {
            let arguments = std::env::args_os().skip(1);
            let mut command = Command::new(&program);
            let error = command.args(arguments).env_remove(PROGRAM).env_remove(PARENT).exec();
            // Whoever started it names it, and shows what it printed.
            let _ = writeln!(std::io::stderr(), "{error}");
        }
        std::process::exit(127);
    }
}

/// A command that runs `program` as long as this process lives.
pub(crate) fn guarded(program: &std::path::Path) -> std::io::Result<Command> {
    let Some((guard, environment)) = guard(program)? else { return Ok(Command::new(program)) };
    let mut command = Command::new(guard);
    command.envs(environment);
    Ok(command)
}

/// This executable, and the variables with which it becomes a program.
type Guard = (PathBuf, [(&'static str, OsString); 2]);

/// What to start instead of `program` so that it ends with this process, and with which variables.
pub(in crate::cluster) fn guard(program: &std::path::Path) -> std::io::Result<Option<Guard>> {
    if !SERVES.load(Ordering::SeqCst) || cfg!(not(target_os = "linux")) {
        return Ok(None);
    }
    let parent = std::process::id().to_string();
    let environment = [(PROGRAM, program.as_os_str().to_owned()), (PARENT, parent.into())];
    Ok(Some((this_executable()?, environment)))
}

/// What to start to run this program again, also when another has taken its place on the disk since
/// (an upgrade, a build).
pub(crate) fn this_executable() -> std::io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe(),
    }
}
