//! A folder as output location: durable by fsync, exclusive by hard link, published by rename.
//!
//! A folder of files is exchanged as a whole: its successor is made beside it, out of hard links, and
//! the two change places in one step of the file system. Who publishes or removes holds a lock that is
//! shared, who exchanges holds it alone: nothing gets into the folder that is just being replaced.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::LakeError;
use super::storage::{Lock, Storage};

/// A folder.
#[derive(Debug)]
pub struct LocalFolder {
    root: PathBuf,
    writer: String,
}

impl LocalFolder {
    /// Opens a folder for writing, and makes it if need be.
    ///
    /// # Errors
    /// If it cannot be made, or is no folder.
    pub fn create(root: &Path) -> Result<Self, LakeError> {
        create_folders_durably(root).map_err(|e| error("create", root, e))?;
        // Unique among processes, now and later; names of files come from it, order does not.
        let writer = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Ok(Self { root: root.to_owned(), writer })
    }

    /// Opens a folder that must be an output already, for reading.
    ///
    /// # Errors
    /// If it does not exist, or was not written by keytrail.
    pub fn existing(root: &Path) -> Result<Self, LakeError> {
        fs::read_dir(root).map_err(|e| error("open", root, e))?;
        if !root.join("_ledger").is_dir() {
            return Err(LakeError::NoOutput(root.display().to_string()));
        }
        Self::create(root)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// Keeps those who publish and those who exchange folders apart.
const GUARD: &str = "_ledger/publish.lock";

impl LocalFolder {
    fn guard(&self, lock: fn(&File) -> io::Result<()>) -> Result<File, LakeError> {
        let at = self.at(GUARD);
        let open = || -> io::Result<File> {
            if let Some(folder) = at.parent() {
                create_folders_durably(folder)?;
            }
            let file = File::create(&at)?;
            lock(&file)?;
            Ok(file)
        };
        open().map_err(|e| error("lock", &at, e))
    }

    /// Where folders that were replaced wait until nobody lists them any more.
    fn replaced(&self) -> PathBuf {
        self.at(&format!("_staging/{}/replaced", self.writer))
    }

    fn exchange_alone(&self, folder: &str, add: &[(&str, &str)], remove: &[&str]) -> io::Result<()> {
        let target = self.at(folder);
        let there = match fs::read_dir(&target) {
            Ok(entries) => entries.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>()?,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        let is_there = |path: &str| self.at(path).file_name().is_some_and(|name| there.iter().any(|n| n == name));
        let add: Vec<_> = add.iter().filter(|(_, path)| !is_there(path)).collect();
        let remove: Vec<_> = remove.iter().map(|path| self.at(path)).filter(|path| path.exists()).collect();
        if add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        create_folders_durably(&target)?;
        let stays = |name: &&OsString| !remove.iter().any(|path| path.file_name() == Some(name));
        let names: Vec<_> = there.iter().filter(stays).collect();
        // What is no file is not ours, and cannot be linked: then not at once.
        let plain = names.iter().all(|name| target.join(name).is_file());
        if !plain || !self.change_at_once(&target, &names, &add)? {
            // Rows are there twice rather than not at all.
            for (staged, path) in &add {
                fs::hard_link(self.at(staged), self.at(path))?;
            }
            sync_folder(&target)?;
            remove.iter().try_for_each(|path| absent_is_fine(fs::remove_file(path)))?;
            sync_folder(&target)?;
        }
        if names.is_empty() && add.is_empty() {
            // Nothing is left of this date.
            absent_is_fine(fs::remove_dir(&target))?;
        }
        Ok(())
    }

    /// Puts a folder of the files `names` and `add` in the place of `target`; false where the file
    /// system has no such step.
    fn change_at_once(&self, target: &Path, names: &[&OsString], add: &[&(&str, &str)]) -> io::Result<bool> {
        // A name of its own: one folder may be exchanged several times.
        let others = self.replaced().join(format!("{:016x}", RandomState::new().hash_one(target)));
        create_folders_durably(&others)?;
        for name in names {
            fs::hard_link(target.join(name), others.join(name))?;
        }
        for (staged, path) in add {
            fs::hard_link(self.at(staged), others.join(self.at(path).file_name().unwrap_or_default()))?;
        }
        fs::set_permissions(&others, fs::metadata(target)?.permissions())?;
        sync_folder(&others)?;
        let changed = change_places(&others, target)?;
        if changed {
            sync_folder_of(target)?;
            sync_folder_of(&others)?;
        } else {
            fs::remove_dir_all(&others)?;
        }
        Ok(changed)
    }
}

/// Lets two folders change places in one step; false where that cannot be done.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn change_places(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn change_places(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

impl Storage for LocalFolder {
    fn writer(&self) -> &str {
        &self.writer
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        // Beside its final name first: a reader never sees half a file.
        let scratch = self.at(&format!("_staging/{}/put", self.writer));
        let to = self.at(path);
        write(&scratch, bytes)?;
        rename(&scratch, &to).and_then(|()| sync_folder_of(&to)).map_err(|e| error("write", &to, e))
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        write(&self.at(path), bytes)
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<bool, LakeError> {
        let scratch = self.at(&format!("_staging/{}/entry", self.writer));
        write(&scratch, bytes)?;
        let to = self.at(path);
        // The names of all that was staged, before an entry speaks of it.
        sync_folder_of(&scratch).map_err(|e| error("write", &scratch, e))?;
        let link = || -> io::Result<bool> {
            if let Some(folder) = to.parent() {
                create_folders_durably(folder)?;
            }
            match fs::hard_link(&scratch, &to) {
                Ok(()) => sync_folder_of(&to).map(|()| true),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(e) => Err(e),
            }
        };
        let created = link().map_err(|e| not_linked(&to, e));
        // The two names are one file: writing the scratch again would change the entry.
        absent_is_fine(fs::remove_file(&scratch)).map_err(|e| error("remove", &scratch, e))?;
        created
    }

    fn publish(&self, files: &[(&str, &str)]) -> Result<(), LakeError> {
        let _shared = self.guard(File::lock_shared)?;
        let mut folders = BTreeSet::new();
        for (staged, path) in files {
            let (from, to) = (self.at(staged), self.at(path));
            match rename(&from, &to) {
                Err(e) if e.kind() == ErrorKind::NotFound && to.exists() => {}
                other => other.map_err(|e| error("publish", &to, e))?,
            }
            folders.insert(to.parent().map(Path::to_owned).unwrap_or_default());
        }
        folders.iter().try_for_each(|folder| sync_folder(folder).map_err(|e| error("publish into", folder, e)))
    }

    fn exchange(&self, folder: &str, add: &[(&str, &str)], remove: &[&str]) -> Result<(), LakeError> {
        let _alone = self.guard(File::lock)?;
        let fail = |error_: io::Error| error("exchange the files of", &self.at(folder), error_);
        self.exchange_alone(folder, add, remove).map_err(fail)?;
        for (staged, _) in add {
            absent_is_fine(fs::remove_file(self.at(staged))).map_err(|e| error("remove", &self.at(staged), e))?;
        }
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        match fs::read(self.at(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(error("read", &self.at(path), e)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        let top = self.at(folder);
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(&top).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let relative = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
                    files.push(relative.to_string_lossy().replace('\\', "/"));
                }
                Ok(_) => {}
                // Gone while listing, or never there.
                Err(e) if e.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound) => {}
                Err(e) => return Err(error("list", &top, e.into())),
            }
        }
        Ok(files)
    }

    fn remove(&self, path: &str) -> Result<(), LakeError> {
        let _shared = self.guard(File::lock_shared)?;
        absent_is_fine(fs::remove_file(self.at(path))).map_err(|e| error("remove", &self.at(path), e))
    }

    fn remove_folder(&self, path: &str) -> Result<(), LakeError> {
        absent_is_fine(fs::remove_dir_all(self.at(path))).map_err(|e| error("remove", &self.at(path), e))
    }

    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError> {
        let at = self.at(path);
        let open = || -> io::Result<File> {
            if let Some(folder) = at.parent() {
                create_folders_durably(folder)?;
            }
            File::create(&at)
        };
        // A writer that ends removes its folder: it may go between the two steps, but only once.
        let opened = match open() {
            Err(e) if e.kind() == ErrorKind::NotFound => open(),
            other => other,
        };
        let file = opened.map_err(|e| error("lock", &at, e))?;
        match file.try_lock() {
            // The system unlocks it when it is closed, however the process ends.
            Ok(()) => Ok(Some(Lock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(error("lock", &at, e)),
        }
    }
}

/// Content is durable when this returns, the name is not yet.
fn write(to: &Path, bytes: &[u8]) -> Result<(), LakeError> {
    let written = || -> io::Result<()> {
        if let Some(folder) = to.parent() {
            create_folders_durably(folder)?;
        }
        let mut file = File::create(to)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(|e| {
        let _ = fs::remove_file(to);
        error("write", to, e)
    })
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        create_folders_durably(folder)?;
    }
    fs::rename(from, to)
}

fn error(action: &'static str, path: &Path, source: io::Error) -> LakeError {
    LakeError::Io { action, path: path.display().to_string(), error: source }
}

/// Why an entry could not be created. A file system without hard links says that the operation is not
/// permitted, or not supported; a permission that is missing is another code.
fn not_linked(path: &Path, source: io::Error) -> LakeError {
    /// `EPERM`; on Windows the same number is `ERROR_INVALID_FUNCTION`, which means the same here.
    const NOT_PERMITTED: i32 = 1;
    if source.kind() == ErrorKind::Unsupported || source.raw_os_error() == Some(NOT_PERMITTED) {
        return LakeError::NoLinks { path: path.display().to_string(), error: source };
    }
    error("create", path, source)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes missing folders one by one, so that each one's name is durable in its parent.
fn create_folders_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = parent_of(folder) {
        create_folders_durably(parent)?;
    }
    match fs::create_dir(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }?;
    sync_folder_of(folder)
}

/// The folder that a path lies in; of a bare name it is the current one.
fn parent_of(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// A new name is durable when the folder that holds it is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    parent_of(path).map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(folder.to_owned()));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::lake::Lake;

    thread_local! {
        /// Folders that were synced by the test of this thread.
        pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    /// The machine may lose power: a file whose folder has no durable name is lost with it.
    #[test]
    fn each_folder_that_is_made_has_a_durable_name() {
        let folder = tempfile::tempdir().expect("tempdir");
        let root = folder.path().join("deep").join("out");
        let place = LocalFolder::create(&root).expect("a folder");
        let writer = place.writer().to_owned();
        let lake = Lake::open(std::sync::Arc::new(place)).expect("opens");
        let place = lake.storage();
        let staged = format!("_staging/{writer}/1");
        place.stage(&staged, b"rows").expect("stages");
        assert!(place.put_if_absent("_ledger/1.json", b"entry").expect("writes"));
        place.publish(&[(&staged, "usage/date=2026-03-02/a.parquet")]).expect("publishes");
        let mut made = 0;
        for entry in walkdir::WalkDir::new(folder.path()).min_depth(1) {
            let entry = entry.expect("an entry");
            if entry.file_type().is_dir() {
                let parent = entry.path().parent().expect("a parent");
                let synced = SYNCED.with_borrow(|synced| synced.iter().any(|folder| folder == parent));
                assert!(synced, "{} is made, but {} is not synced", entry.path().display(), parent.display());
                made += 1;
            }
        }
        assert_eq!(made, 7, "deep, out, _ledger, _staging, a writer's, usage, a date's");
    }

    #[test]
    fn a_file_system_without_hard_links_is_told_from_a_missing_permission() {
        let say = |code| not_linked(Path::new("out/_ledger/1.json"), code).to_string();
        let (not_permitted, denied) = (io::Error::from_raw_os_error(1), io::Error::from_raw_os_error(13));
        for error in [not_permitted, ErrorKind::Unsupported.into()] {
            let text = say(error);
            assert!(text.contains("hard links") && text.contains("S3") && !text.contains("permissions"), "{text}");
        }
        let text = say(denied);
        assert!(text.contains("permissions") && !text.contains("hard links"), "{text}");
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert_eq!(parent_of(Path::new("out")), Some(Path::new(".")));
        assert_eq!(parent_of(Path::new("a/out")), Some(Path::new("a")));
        assert_eq!(parent_of(Path::new("/")), None);
    }

    #[test]
    fn of_two_writers_one_creates_and_locks_exclude() {
        let folder = tempfile::tempdir().expect("tempdir");
        let open = || LocalFolder::create(folder.path()).expect("folder");
        let (a, b) = (open(), open());
        assert!(a.put_if_absent("_ledger/1.json", b"a").expect("writes"));
        assert!(!b.put_if_absent("_ledger/1.json", b"b").expect("writes"));
        assert!(a.put_if_absent("_ledger/2.json", b"aa").expect("writes"));
        assert_eq!(b.get("_ledger/1.json").expect("reads").as_deref(), Some(&b"a"[..]));
        let lock = a.lock("x/lock").expect("locks");
        assert!(lock.is_some() && b.lock("x/lock").expect("locks").is_none());
        drop(lock);
        assert!(b.lock("x/lock").expect("locks").is_some());
    }

    #[test]
    fn publishing_twice_is_publishing_once() {
        let folder = tempfile::tempdir().expect("tempdir");
        let lake = LocalFolder::create(folder.path()).expect("folder");
        lake.put("_staging/w/1", b"rows").expect("puts");
        for _ in 0..2 {
            lake.publish(&[("_staging/w/1", "usage/date=2026-03-02/a.parquet")]).expect("publishes");
        }
        assert_eq!(lake.list("usage").expect("lists"), ["usage/date=2026-03-02/a.parquet"]);
        assert!(lake.publish(&[("_staging/w/2", "usage/none")]).is_err());
    }
}
