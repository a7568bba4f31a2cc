//! Objects in the local file system.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::DirEntry;

use super::{FetchError, Store, object_name};
use crate::model::object::ObjectRef;

/// What was found in the sources.
#[derive(Debug, Default)]
pub struct Listing {
    /// Objects, in the order in which they are taken; each once, however often it was given.
    pub objects: Vec<ObjectRef>,
    /// Places that could not be looked into, and why.
    pub unreadable: Vec<(String, String)>,
}

/// Lists files and folders. `leave_out` is a folder that is not looked into: the output.
///
/// # Errors
/// If a source does not exist.
pub fn list(sources: &[PathBuf], leave_out: Option<&Path>) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    for source in sources {
        // Absolute: the same file is the same object from wherever the command is run.
        let root =
            source.canonicalize().map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", source.display())))?;
        let walk = walkdir::WalkDir::new(&root).follow_links(true).into_iter();
        let mut links = Links::default();
        for entry in walk.filter_entry(|entry| !is_no_place_for_logs(entry, &root) && Some(entry.path()) != leave_out) {
            match entry.map_err(|e| (e.path().map(Path::to_owned), e.to_string())) {
                Ok(entry) if entry.file_type().is_dir() => links.enter(&entry),
                // A file that was named is taken whatever its name.
                Ok(entry) if entry.path() != root && !may_be_a_log(entry.path()) => {}
                Ok(entry) if entry.file_type().is_file() => match links.resolved(&entry).and_then(reference) {
                    Ok(object) => listing.objects.push(object),
                    Err(e) => listing.unreadable.push((uri(entry.path()), e.to_string())),
                },
                Ok(_) => {}
                Err((path, reason)) => {
                    listing.unreadable.push((path.as_deref().map(uri).unwrap_or_default(), reason));
                }
            }
        }
    }
    listing.objects.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    listing.objects.dedup_by(|a, b| a.key == b.key);
    Ok(listing)
}

/// `.git` and its like, and outputs of keytrail; never the folder that was asked for.
fn is_no_place_for_logs(entry: &DirEntry, root: &Path) -> bool {
    entry.file_type().is_dir()
        && entry.path() != root
        && (entry.file_name().to_string_lossy().starts_with('.') || entry.path().join("_ledger").is_dir())
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Folders of a walk that are links, and where they lead to.
#[derive(Default)]
struct Links(Vec<(PathBuf, PathBuf)>);

impl Links {
    /// Notes a folder if it is a link; one that leads nowhere is an error of the walk already.
    fn enter(&mut self, folder: &DirEntry) {
        if folder.path_is_symlink()
            && let Ok(real) = folder.path().canonicalize()
        {
            self.0.push((folder.path().to_owned(), real));
        }
    }

    /// A file's path without links: the file is one object, whatever path leads to it.
    fn resolved(&self, file: &DirEntry) -> std::io::Result<PathBuf> {
        if file.path_is_symlink() {
            return file.path().canonicalize();
        }
        // The last that it lies below is the innermost.
        let linked = self.0.iter().rev().find_map(|(link, real)| Some(real.join(file.path().strip_prefix(link).ok()?)));
        Ok(linked.unwrap_or_else(|| file.path().to_owned()))
    }
}

fn reference(path: PathBuf) -> std::io::Result<ObjectRef> {
    let metadata = path.metadata()?;
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let no_text = || std::io::Error::new(ErrorKind::InvalidFilename, "its name is not UTF-8: rename it");
    let key = path.into_os_string().into_string().map_err(|_| no_text())?;
    Ok(ObjectRef {
        bucket: String::new(),
        etag: format!("{:x}-{:x}", metadata.len(), modified.as_nanos()),
        size: metadata.len(),
        name: object_name::parse(&key),
        key,
    })
}

/// A folder of logs may hold a README; a file whose name says JSON or gzip, or says nothing, is
/// looked into.
pub(super) fn may_be_a_log(path: &Path) -> bool {
    path.extension().is_none_or(|extension| {
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        ["json", "gz", "ndjson", "jsonl", "log", "txt"].contains(&extension.as_str())
    })
}

/// The local file system as a store.
#[derive(Debug)]
pub struct LocalStore {
    /// Most bytes of an object, as stored.
    pub cap: u64,
}

impl Store for LocalStore {
    fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
        into.clear();
        let file = File::open(&object.key)?;
        let size = file.metadata()?.len();
        if size > self.cap {
            return Err(FetchError::TooLarge { size, cap: self.cap });
        }
        into.reserve(usize::try_from(size).unwrap_or_default() + 1);
        // One byte more than allowed: a file that grows while it is read is noticed.
        file.take(self.cap + 1).read_to_end(into)?;
        let size = into.len() as u64;
        if size > self.cap { Err(FetchError::TooLarge { size, cap: self.cap }) } else { Ok(()) }
    }
}
