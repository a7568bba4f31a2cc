//! What the lake needs of the place that its files lie in. Paths are relative, with `/`.

use std::time::Duration;

use super::LakeError;

/// A place for files: a folder or a bucket.
pub trait Storage: Send + Sync {
    /// Name of this process among the writers of the place.
    fn writer(&self) -> &str;

    /// Writes a file whole; it is durable when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError>;

    /// Writes a file whole under a name that nobody else uses. It is durable when a later
    /// [`Storage::put_if_absent`] of this writer returns.
    ///
    /// # Errors
    /// If it cannot be written; that may turn out later, when [`Storage::put_if_absent`] then fails and
    /// creates nothing.
    fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError>;

    /// Writes a file unless one of that name exists; tells whether it did. Of many writers exactly
    /// one succeeds.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<bool, LakeError>;

    /// Gives staged files their final names, each replacing what had it; readers see the one or the
    /// other. Where the staged file is gone and the final one is there, nothing is to be done.
    ///
    /// # Errors
    /// If neither is there, or the place cannot be written.
    fn publish(&self, files: &[(&str, &str)]) -> Result<(), LakeError>;

    /// Exchanges files of a folder: `add`, staged files with their final names, take the place of
    /// `remove`; all others stay. At once, where the place can do that; else the new ones come before
    /// the old ones go. Staged files go last, so that one tells whoever recovers that something may be
    /// left to do. Doing it twice is doing it once.
    ///
    /// # Errors
    /// If a file is neither staged nor there, or the place cannot be written.
    fn exchange(&self, folder: &str, add: &[(&str, &str)], remove: &[&str]) -> Result<(), LakeError>;

    /// Reads a file whole; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError>;

    /// Reads files whole, up to the first that is not there. Places far away read many at once.
    ///
    /// # Errors
    /// If one cannot be read.
    fn get_run(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, LakeError> {
        paths.iter().map(|path| self.get(path)).map_while(Result::transpose).collect()
    }

    /// All files below a folder, sorted.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError>;

    /// The files below a folder whose paths are sorted behind `path`, which need not be there.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    fn list_behind(&self, folder: &str, path: &str) -> Result<Vec<String>, LakeError> {
        let mut files = self.list(folder)?;
        files.retain(|file| file.as_str() > path);
        Ok(files)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, path: &str) -> Result<(), LakeError>;

    /// Removes files, those that are there.
    ///
    /// # Errors
    /// If one cannot be removed.
    fn remove_all(&self, paths: &[&str]) -> Result<(), LakeError> {
        paths.iter().try_for_each(|path| self.remove(path))
    }

    /// Removes a folder with all that is in it, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove_folder(&self, path: &str) -> Result<(), LakeError>;

    /// Takes a lock that ends with the process, at once or after [`Storage::grace`]; `None` while another
    /// process has it.
    ///
    /// # Errors
    /// If the place cannot be written.
    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError>;

    /// How long a lock may look held after its holder was killed.
    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}

/// A lock, held until dropped.
pub struct Lock {
    _guard: Box<dyn Send + Sync>,
}

impl Lock {
    /// A lock that is held as long as `guard` lives.
    pub(super) fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lock")
    }
}
