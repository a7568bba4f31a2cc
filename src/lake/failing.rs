//! A folder for tests of which one call fails, once; after that it goes on.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::LakeError;
use super::local::LocalFolder;
use super::storage::{Lock, Storage};

/// A folder of which a call can be made to fail.
pub(crate) struct Failing {
    place: LocalFolder,
    /// What a call must say of itself to fail: its name and its path.
    next: Mutex<Option<String>>,
    /// What happens before the next listing of a folder.
    meanwhile: Mutex<Option<(String, Deed)>>,
}

type Deed = Box<dyn FnOnce() + Send>;

impl Failing {
    pub(crate) fn create(root: &Path) -> Arc<Self> {
        let place = LocalFolder::create(root).expect("a folder");
        Arc::new(Self { place, next: Mutex::default(), meanwhile: Mutex::default() })
    }

    /// The next call that starts so, such as `put _ledger/checkpoint.json`, does nothing and fails.
    pub(crate) fn fail_once(&self, call: &str) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(call.to_owned());
    }

    /// Whether what was to fail has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Something is done by somebody else just before the next listing of this folder.
    pub(crate) fn meanwhile(&self, folder: &str, what: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner) = Some((folder.to_owned(), Box::new(what)));
    }

    fn ask(&self, call: &str, path: &str) -> Result<(), LakeError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match next.take_if(|next| format!("{call} {path}").starts_with(next.as_str())) {
            Some(call) => Err(LakeError::Stopped(format!("the test lets fail: {call}"))),
            None => Ok(()),
        }
    }
}

impl Storage for Failing {
    fn writer(&self) -> &str {
        self.place.writer()
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.ask("put", path).and_then(|()| self.place.put(path, bytes))
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.ask("stage", path).and_then(|()| self.place.stage(path, bytes))
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<bool, LakeError> {
        self.ask("append", path).and_then(|()| self.place.put_if_absent(path, bytes))
    }

    fn publish(&self, files: &[(&str, &str)]) -> Result<(), LakeError> {
        // File by file: those before the one that fails are published.
        files.iter().try_for_each(|file| self.ask("publish", file.1).and_then(|()| self.place.publish(&[*file])))
    }

    fn exchange(&self, folder: &str, add: &[(&str, &str)], remove: &[&str]) -> Result<(), LakeError> {
        self.ask("exchange", folder).and_then(|()| self.place.exchange(folder, add, remove))
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        self.place.get(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        let mut meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, what)) = meanwhile.take_if(|(of, _)| of == folder) {
            what();
        }
        self.place.list(folder)
    }

    fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.ask("remove", path).and_then(|()| self.place.remove(path))
    }

    fn remove_folder(&self, path: &str) -> Result<(), LakeError> {
        self.place.remove_folder(path)
    }

    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError> {
        self.place.lock(path)
    }
}
