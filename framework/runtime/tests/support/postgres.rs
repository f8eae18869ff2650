//! A Postgres for tests: a cluster of its own in a temporary folder, which goes away with
//! the test process however that ends.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

/// A server that is there already, as a URL; so the children of a test find theirs.
pub(crate) const URL: &str = "MESH_TEST_POSTGRES_URL";

/// Obeys commands until the pipe to it is closed. `initdb` refuses root, so root lets the
/// user of Debian's package do all of it.
const KEEPER: &str = r#"
set -u
bin=$1
dir=$(mktemp -d /tmp/mesh-pg-XXXXXX) || exit 1
control() { "$bin/pg_ctl" -D "$dir/data" -w -t 30 "$@" >>"$dir/control.log" 2>&1 </dev/null; }
"$bin/initdb" -D "$dir/data" -U mesh --auth=trust -E UTF8 --locale=C --no-sync >"$dir/init.log" 2>&1 || {
    cat "$dir/init.log" >&2
    exit 1
}
echo "$dir"
more=
while read -r command argument; do
    case $command in
    encrypt)
        # From a network, only with TLS and with a certificate of the authority.
        cp "$argument"/ca.pem "$argument"/server.pem "$argument"/server.key "$dir/data"
        chmod 600 "$dir/data/server.key"
        echo 'hostssl all all 127.0.0.1/32 cert clientcert=verify-full' >"$dir/data/pg_hba.conf"
        echo 'local all all trust' >>"$dir/data/pg_hba.conf"
        more="-c listen_addresses=127.0.0.1 -p $(cat "$argument/port") -c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.key -c ssl_ca_file=ca.pem"
        control -m fast stop
        ;;
    start)
        # After a kill the memory of the last server is in use until its last process ends.
        tries=0
        until control -l "$dir/server.log" -o "-k $dir -c listen_addresses= -c max_connections=200 $more" start; do
            tries=$((tries + 1))
            [ $tries -lt 50 ] || { cat "$dir/server.log" >&2; exit 1; }
            sleep 0.1
        done
        ;;
    kill)
        # All of it at once, or its sessions would live on for a moment.
        server=$(head -1 "$dir/data/postmaster.pid")
        all="$server $(cat "/proc/$server/task/$server/children")"
        kill -9 $all
        for process in $all; do
            while kill -0 "$process" 2>/dev/null; do sleep 0.05; done
        done
        ;;
    esac
    echo "$command"
done
control -m immediate stop
rm -rf "$dir"
"#;

/// A cluster with one superuser, `mesh`, and no password.
pub(crate) struct Cluster {
    dir: PathBuf,
    keeper: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

impl Cluster {
    /// Starts one; `None`, with a word, where Postgres is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let text = "skipped: Postgres is not installed (Debian: postgresql)";
            assert!(std::env::var_os("CI").is_none(), "in CI nothing is {text}");
            println!("{text}");
            return None;
        };
        // SAFETY: it only reads the user id of this process.
        let mut command = match unsafe { libc::geteuid() } {
            0 => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--", "sh"]);
                command
            }
            _ => Command::new("sh"),
        };
        let mut child = command
            .args(["-c", KEEPER, "keeper"])
            .arg(programs)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut dir = String::new();
        output.read_line(&mut dir).unwrap();
        assert!(!dir.trim().is_empty(), "initdb failed");
        let cluster = Self {
            dir: dir.trim().into(),
            keeper: Mutex::new((input, output)),
            _child: child,
        };
        cluster.command("start");
        Some(cluster)
    }

    fn command(&self, command: &str) {
        self.command_with(command, "");
    }

    fn command_with(&self, command: &str, argument: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.0, "{command} {argument}").unwrap();
        let mut answer = String::new();
        keeper.1.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), command, "Postgres does not start");
    }

    /// Has it listen on 127.0.0.1, where clients must encrypt and show a certificate, with
    /// what stands in `folder`: `ca.pem`, `server.pem`, `server.key` and the `port`.
    pub(crate) fn encrypt(&self, folder: &Path) {
        self.command_with("encrypt", folder.to_str().unwrap());
        self.command("start");
    }

    /// As [`Cluster::url`] when it listens on `port`.
    pub(crate) fn local_url(&self, port: u16) -> String {
        format!("{}&port={port}", self.url())
    }

    /// Kills the server as a crash of its process does, and starts it again.
    pub(crate) fn crash(&self) {
        self.kill();
        self.start_again();
    }

    pub(crate) fn kill(&self) {
        self.command("kill");
    }

    pub(crate) fn start_again(&self) {
        self.command("start");
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://mesh@localhost/postgres?host={}",
            self.dir.display()
        )
    }
}

/// The URL of the server that the tests of this process share.
pub(crate) fn shared() -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    match std::env::var(URL) {
        Ok(url) => Some(url),
        Err(_) => SHARED
            .get_or_init(Cluster::start)
            .as_ref()
            .map(Cluster::url),
    }
}

/// Where the server's programs are: the newest of Debian's packages, or on the path.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.splice(0..0, std::env::split_paths(&path));
    found
        .into_iter()
        .rev()
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

const PASS: u8 = 0;
const BEFORE: u8 = 1;
const AFTER: u8 = 2;
const REFUSE: u8 = 3;
const AFTER_AND_REFUSE: u8 = 4;

/// A way to a cluster on which the connection can break.
pub(crate) struct Proxy {
    port: u16,
    mode: Arc<AtomicU8>,
    cut: Arc<Mutex<CancellationToken>>,
}

impl Proxy {
    pub(crate) async fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            mode: Arc::new(AtomicU8::new(PASS)),
            cut: Arc::default(),
        };
        let socket = cluster.dir.join(".s.PGSQL.5432");
        let (mode, cut) = (Arc::clone(&proxy.mode), Arc::clone(&proxy.cut));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if mode.load(Ordering::SeqCst) == REFUSE {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&socket).await else {
                    continue;
                };
                let (mode, cut) = (Arc::clone(&mode), cut.lock().unwrap().clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = carry(client, server, &mode) => {}
                    }
                });
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://mesh@127.0.0.1:{}/postgres", self.port)
    }

    /// Breaks the connection of the next commit before the server hears of it.
    pub(crate) fn break_before_commit(&self) {
        self.mode.store(BEFORE, Ordering::SeqCst);
    }

    /// Breaks the connection of the next commit when the server has made it.
    pub(crate) fn break_after_commit(&self) {
        self.mode.store(AFTER, Ordering::SeqCst);
    }

    /// The same, and takes no more connections.
    pub(crate) fn break_after_commit_and_refuse(&self) {
        self.mode.store(AFTER_AND_REFUSE, Ordering::SeqCst);
    }

    /// Breaks all connections and takes no more.
    pub(crate) fn refuse(&self) {
        self.mode.store(REFUSE, Ordering::SeqCst);
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }

    /// Takes connections again.
    pub(crate) fn pass(&self) {
        self.mode.store(PASS, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until one side is gone or the connection is to break.
async fn carry(mut client: TcpStream, mut server: UnixStream, mode: &AtomicU8) {
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(count @ 1..) = read else { return };
                let bytes = &from_client[..count];
                let commits = bytes.windows(7).any(|part| part == b"COMMIT\0");
                let breaks = match commits {
                    // Once only: the next connection passes.
                    true => mode.load(Ordering::SeqCst),
                    false => PASS,
                };
                if breaks == BEFORE {
                    mode.store(PASS, Ordering::SeqCst);
                    return;
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
                if breaks == AFTER || breaks == AFTER_AND_REFUSE {
                    // Its answer says that it is made, and goes nowhere.
                    let _ = server.read(&mut from_server).await;
                    let then = if breaks == AFTER { PASS } else { REFUSE };
                    mode.store(then, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&from_server[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
