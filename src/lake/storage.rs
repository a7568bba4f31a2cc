//! What the lake needs of the place that its files lie in. Paths are relative, with `/`.

use super::LakeError;

/// A place for files: a folder, later a bucket.
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
    /// If it cannot be written.
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

    /// Reads a file whole; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError>;

    /// All files below a folder, sorted.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError>;

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, path: &str) -> Result<(), LakeError>;

    /// Removes a folder with all that is in it, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove_folder(&self, path: &str) -> Result<(), LakeError>;

    /// Takes a lock that ends with the process; `None` while another process has it.
    ///
    /// # Errors
    /// If the place cannot be written.
    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError>;
}

/// A lock, held until dropped.
#[derive(Debug)]
pub struct Lock {
    /// The locked file; the system unlocks it when it is closed, however the process ends.
    pub(super) _file: std::fs::File,
}
