//! Keeps the world on disk: a journal of changed entries, one line a change, replayed at the start. It survives a kill
//! at any byte: a torn last line belongs to a request that was never answered, and is dropped.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::{blobs::Blobs, world::World};

const FORMAT: u64 = 1;
/// The journal is rewritten when it is this much longer than the world it describes.
const SLACK_BYTES: u64 = 4 << 20;

/// The journal of a world, or nothing for one in memory.
#[derive(Debug)]
pub(crate) struct Store {
    disk: Option<Disk>,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    journal: File,
    journal_bytes: u64,
    rewritten_bytes: u64,
    /// An append failed, so that the journal no longer tells the whole story.
    behind: bool,
    _lock: File,
}

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self { disk: None }
    }

    /// Locks the folder and replays its journal.
    pub(crate) fn open(folder: &Path) -> io::Result<(World, Self)> {
        fs::create_dir_all(folder)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("{} is in use by another emulator", folder.display()),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut world = World { blobs: Blobs::in_folder(folder.join("bodies"))?, ..World::default() };
        replay(&folder.join("journal"), &mut world)?;
        let named: BTreeSet<String> = world.s3.blob_ids().collect();
        world.blobs.sweep(&named)?;
        let (journal, bytes) = rewrite(folder, &mut world)?;
        let disk = Disk {
            folder: folder.to_owned(),
            journal,
            journal_bytes: bytes,
            rewritten_bytes: bytes,
            behind: false,
            _lock: lock,
        };
        Ok((world, Self { disk: Some(disk) }))
    }

    /// Writes what changed. When this returns, the change survives a kill.
    pub(crate) fn commit(&mut self, world: &mut World) -> io::Result<()> {
        let mut line = Map::new();
        for (name, table) in world.tables() {
            let changes = table.take_changes();
            if !changes.is_empty() {
                line.insert(name.to_owned(), Value::Object(changes));
            }
        }
        if let Some(disk) = &mut self.disk
            && (!line.is_empty() || disk.behind)
        {
            disk.append(world, line)?;
        }
        world.blobs.bury();
        Ok(())
    }

    /// Lets go of the folder.
    pub(crate) fn close(&mut self) {
        self.disk = None;
    }
}

impl Disk {
    fn append(&mut self, world: &mut World, line: Map<String, Value>) -> io::Result<()> {
        if self.behind || self.journal_bytes > 2 * self.rewritten_bytes + SLACK_BYTES {
            let (journal, bytes) = rewrite(&self.folder, world)?;
            self.journal = journal;
            self.journal_bytes = bytes;
            self.rewritten_bytes = bytes;
            self.behind = false;
            return Ok(());
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // One write call, so that a kill cannot put another line behind half of this one.
        if let Err(error) = self.journal.write_all(text.as_bytes()) {
            self.behind = true;
            return Err(error);
        }
        self.journal_bytes += text.len() as u64;
        Ok(())
    }
}

fn replay(path: &Path, world: &mut World) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let unreadable = |number: usize, why: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: line {number}: {why}", path.display()))
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let record: Map<String, Value> = serde_json::from_slice(&line).map_err(|error| unreadable(number, &error))?;
        if number == 1 {
            if record.get("format") != Some(&json!(FORMAT)) {
                return Err(unreadable(number, &"written by another version of the emulator"));
            }
            continue;
        }
        for (name, entries) in record {
            let mut tables = world.tables();
            let Some((_, table)) = tables.iter_mut().find(|(known, _)| *known == name) else {
                return Err(unreadable(number, &format!("there is no table {name}")));
            };
            let Value::Object(entries) = entries else {
                return Err(unreadable(number, &format!("table {name} is not an object")));
            };
            for (key, value) in entries {
                table.restore(key, value).map_err(|error| unreadable(number, &error))?;
            }
        }
    }
    Ok(())
}

/// Writes the whole world as a new journal and puts it in the place of the old one.
fn rewrite(folder: &Path, world: &mut World) -> io::Result<(File, u64)> {
    let temporary = folder.join("journal.new");
    let mut file = File::create(&temporary)?;
    let mut text = json!({ "format": FORMAT }).to_string();
    text.push('\n');
    for (name, table) in world.tables() {
        let everything = table.everything();
        if !everything.is_empty() {
            text.push_str(&json!({ name: everything }).to_string());
            text.push('\n');
        }
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join("journal"))?;
    Ok((file, text.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Store;
    use crate::world::World;

    fn aliases(world: &World) -> Vec<String> {
        world.iam.aliases.keys().cloned().collect()
    }

    /// Writes a history of several commits and returns the journal and where each commit ended.
    fn history(folder: &std::path::Path) -> (Vec<u8>, Vec<usize>) {
        let (mut world, mut store) = Store::open(folder).unwrap();
        let journal = folder.join("journal");
        let mut ends = vec![fs::read(&journal).unwrap().len()];
        for name in ["one", "zw\u{f6}lf", "three"] {
            world.iam.aliases.insert(name, true);
            store.commit(&mut world).unwrap();
            ends.push(fs::read(&journal).unwrap().len());
        }
        (fs::read(&journal).unwrap(), ends)
    }

    #[test]
    fn a_kill_at_any_byte_keeps_every_change_that_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, ends) = history(folder.path());
        let names = ["one", "zw\u{f6}lf", "three"];
        for killed in ends[0]..=journal.len() {
            fs::write(folder.path().join("journal"), &journal[..killed]).unwrap();
            let (world, _store) = Store::open(folder.path()).unwrap();
            let committed = ends.iter().filter(|end| **end <= killed).count() - 1;
            let mut expected = names[..committed].to_vec();
            expected.sort_unstable();
            assert_eq!(aliases(&world), expected, "killed at byte {killed}");
        }
    }

    #[test]
    fn a_journal_that_grew_is_rewritten_and_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, mut store) = Store::open(folder.path()).unwrap();
        let long = "x".repeat(1 << 16);
        for number in 0..200 {
            world.iam.managed_policies.insert("arn", format!("{number}{long}"));
            store.commit(&mut world).unwrap();
        }
        drop(store);
        let size = fs::metadata(folder.path().join("journal")).unwrap().len();
        assert!(size < 6 << 20, "{size}");
        let (world, _store) = Store::open(folder.path()).unwrap();
        assert_eq!(world.iam.managed_policies.get("arn"), Some(&format!("199{long}")));
    }

    #[test]
    fn a_journal_of_another_version_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal"), "{\"format\":99}\n").unwrap();
        assert_eq!(Store::open(folder.path()).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(folder.path().join("journal")).unwrap(), "{\"format\":99}\n");
    }
}
