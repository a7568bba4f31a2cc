//! Tools written in Python: each set in a virtual environment made once below the target folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python with these packages (`name==version`), in the environment of that name.
pub fn with(environment: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_keytrail"));
    let target = binary.parent().and_then(Path::parent).expect("the target folder");
    let venv = target.join(environment);
    let _only_one = lock(&target.join(format!("{environment}.lock")))?;
    let python = venv.join("bin/python");
    if !has(&python, packages) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), "python3 with venv")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
        run(pip.args(packages), &format!("a package index that has {packages:?} (pip)"))?;
    }
    if has(&python, packages) {
        Ok(python)
    } else {
        Err(format!("{packages:?} were installed into {}, but do not answer", venv.display()))
    }
}

/// What a test needs. Where it can't be had, the test is skipped on a developer's machine, and fails where
/// `CI` is set.
#[track_caller]
pub fn or_skip<T>(needed: Result<T, String>, untested: &str) -> Option<T> {
    match needed {
        Ok(there) => Some(there),
        Err(reason) if std::env::var_os("CI").is_some() => panic!("{reason}"),
        Err(reason) => {
            eprintln!("SKIPPED, {untested}: {reason}");
            None
        }
    }
}

/// Held while the environment is made: tests run side by side.
fn lock(path: &Path) -> Result<File, String> {
    let file = File::create(path).map_err(|e| format!("this test needs {}: {e}", path.display()))?;
    file.lock().map_err(|e| format!("this test needs a lock on {}: {e}", path.display()))?;
    Ok(file)
}

fn has(python: &Path, packages: &[&str]) -> bool {
    let check = "import sys; from importlib.metadata import version\n\
                 sys.exit(any(p != p.split('==')[0] + '==' + version(p.split('==')[0]) for p in sys.argv[1:]))";
    Command::new(python).args(["-c", check]).args(packages).output().is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command, needed: &str) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("this test needs {needed}: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("this test needs {needed}; {command:?} said:\n{said}")) }
}
