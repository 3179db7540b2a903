//! P16: what people take on the disk, and how long a daemon takes to be there again, on a folder of its own.
//!
//! Sizes are what the file system gave to the folder of a daemon that was stopped, beside the JSON that was sent. A start is from the execution of the
//! program to the first answer; beside it, how long the store alone takes to open, in this process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::BenchError;
use super::child::Server;
use super::figures::{Opened, Storage};
use super::load::closed_loop;
use super::meter;
use super::people;
use super::preload;
use super::script::{PRELOADED, Person, Scripts};
use super::world::Site;
use crate::store::StoreError;
use crate::store::redb::{RedbOptions, open};

/// Connections that write when the daemon is killed.
const WRITERS: usize = 16;
/// The title that everybody gets.
const TITLE: &str = "Senior Consultant";

/// Fills, measures, changes, measures, and opens again and again.
pub(super) async fn storage(
    site: &Site,
    users: usize,
    turns: usize,
    window: Duration,
    progress: &mut (dyn Write + Send),
) -> Result<Storage, BenchError> {
    let disk = Disk { site, data: site.place.path("storage") };
    // Progress that nobody can read is no reason to stop.
    let _ = writeln!(progress, "filling: {users} users on a folder of their own");
    let (mut server, _) = Server::daemon(&disk.data, &site.token_file).await?;
    let made = preload::people(server.at(), &site.scripts, PRELOADED, 0..users, progress).await?;
    server.stop()?;
    let raw_json_bytes = made.iter().map(|person| people::body(PRELOADED, person.n).len() as u64).sum();
    let mut found =
        Storage { users, raw_json_bytes, after_creates_bytes: disk.bytes()?, ..Storage::default() };
    (server, _) = disk.start().await?;
    let _ = writeln!(progress, "changing: each of {users} users by PATCH");
    preload::change(server.at(), &site.scripts, &made, &people::entra_changes(TITLE), progress).await?;
    server.stop()?;
    found.after_patches_bytes = disk.bytes()?;
    for turn in 0..turns {
        let _ = writeln!(
            progress,
            "  P16 opening {users} users after a stop and after a kill, turn {}",
            turn + 1
        );
        let store_ms = disk.open_store()?;
        let (mut server, ready) = disk.start().await?;
        found.after_stop.push(Opened { ready_ms: millis(ready), store_ms });
        server.stop()?;
        // Twice, since who opens a folder after a kill leaves it as if there had been none.
        disk.write_and_kill(&made, window, 2 * turn).await?;
        let store_ms = disk.open_store()?;
        disk.write_and_kill(&made, window, 2 * turn + 1).await?;
        let (mut server, ready) = disk.start().await?;
        found.after_kill.push(Opened { ready_ms: millis(ready), store_ms });
        let counted = preload::count(server.at(), &site.scripts).await?;
        if counted != users {
            return Err(BenchError::Server {
                who: "the daemon".into(),
                what: format!("has {counted} of {users} users after it was killed"),
            });
        }
        server.stop()?;
    }
    std::fs::remove_dir_all(&disk.data).map_err(BenchError::system("remove a data folder"))?;
    Ok(found)
}

/// The folder, and who has daemons on it.
struct Disk<'s> {
    site: &'s Site,
    data: PathBuf,
}

impl Disk<'_> {
    fn bytes(&self) -> Result<u64, BenchError> {
        meter::folder_bytes(&self.data).map_err(BenchError::system("measure the data folder"))
    }

    async fn start(&self) -> Result<(Server, Duration), BenchError> {
        Server::daemon(&self.data, &self.site.token_file).await
    }

    /// Opens the store in this process, and closes it as a daemon that stops would.
    fn open_store(&self) -> Result<f64, BenchError> {
        let begun = Instant::now();
        let store = open(&self.data, &RedbOptions::default());
        let took = millis(begun.elapsed());
        store.map(drop).map_err(|why| StoreError::Invalid(why.to_string()))?;
        Ok(took)
    }

    /// Starts a daemon, and kills it in the midst of writing.
    async fn write_and_kill(
        &self,
        made: &[Person],
        window: Duration,
        round: usize,
    ) -> Result<(), BenchError> {
        let (mut server, _) = self.start().await?;
        let scripts = writers(&self.site.scripts, made, round);
        let writing = closed_loop(server.at(), scripts, Duration::ZERO, 100 * window, || ());
        // Whoever is writing when the daemon goes is told so, and that is all that comes of it.
        let ended = tokio::time::timeout(window, writing).await;
        if let Ok(Err(why)) = ended {
            return Err(why);
        }
        server.kill()
    }
}

/// Connections that replace users, no two of them the same.
fn writers(scripts: &Scripts, made: &[Person], round: usize) -> Vec<super::script::Script> {
    let size = made.len().div_ceil(WRITERS).max(1);
    // No turn of another load begins here.
    let revision = 1_000_000 + round;
    made.chunks(size).map(|share| scripts.put(share.to_vec(), revision)).collect()
}

/// Looks whether a folder has room for so many users, before it takes an hour to find out that it has not.
pub(super) fn must_have_room(folder: &Path, users: usize) -> Result<(), BenchError> {
    let found = rustix::fs::statvfs(folder).map_err(|why| BenchError::System {
        doing: format!("look how much room {} has", folder.display()),
        why: why.into(),
    })?;
    room(found.f_bavail.saturating_mul(found.f_frsize), users)
        .map_err(|what| BenchError::Server { who: folder.display().to_string(), what })
}

/// What a user takes at the most, history and journal included, by the end of all loads.
const BYTES_EACH: u64 = 12_000;
/// What is there whatever the number of users.
const BYTES_ANYHOW: u64 = 500_000_000;

fn room(free: u64, users: usize) -> Result<(), String> {
    let needed = BYTES_EACH.saturating_mul(users as u64).saturating_add(BYTES_ANYHOW);
    if free >= needed {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes / 1_000_000;
    Err(format!(
        "has {} MB free, and daemons of {users} users in all may take {} MB: free some, name another folder by --data, or ask for fewer by --users",
        megabytes(free),
        megabytes(needed)
    ))
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_before_anything_is_filled() {
        assert_eq!(room(13_000_000_000, 1_000_000), Ok(()));
        let why = room(5_000_000_000, 1_000_000).unwrap_err();
        assert!(
            why.contains("has 5000 MB free") && why.contains("12500 MB") && why.contains("--data"),
            "{why}"
        );
        assert!(must_have_room(Path::new("."), usize::MAX).is_err());
        assert!(must_have_room(Path::new("/nowhere"), 1).is_err());
    }
}
