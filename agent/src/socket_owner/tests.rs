//! Real sockets and cgroups of this machine.

use std::{
    fs,
    io::Read as _,
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use socket2::{Domain, Socket, Type};

use super::*;

/// Where this machine has its cgroups of v2; beside those of v1, too.
fn mounted() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|mount| mount[2] == "cgroup2");
    mount.expect("a machine with cgroup v2")[1].into()
}

/// This process's cgroup.
fn own_cgroup() -> u64 {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    fs::metadata(mounted().join(own)).unwrap().ino()
}

#[test]
fn the_kernel_names_the_cgroup_of_the_clients_socket() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(host).unwrap();
        let server = listener.local_addr().unwrap();
        let stream = TcpStream::connect(server).unwrap();
        let (client, own) = (stream.local_addr().unwrap(), Some(own_cgroup()));
        assert_eq!(diag::cgroup(client, server), own, "{host}, before it is accepted");
        let accepted = listener.accept().unwrap();
        assert_eq!(diag::cgroup(client, server), own, "{host}");
        assert!(diag::cgroup(server, client).is_some(), "the other end");
        // Where no connection has the addresses, the kernel finds the listener.
        let other = TcpListener::bind(host).unwrap().local_addr().unwrap();
        assert_eq!(diag::cgroup(client, other), None, "{host}, another server");
        assert_eq!(diag::cgroup(server, other), None, "{host}, a listener");
        drop((stream, accepted));
        assert_eq!(diag::cgroup(client, server), None, "{host}, after its end");
    }
    let (v4, v6) = ("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
    assert_eq!(diag::cgroup(v4, v6), None);
}

/// Any process may use either to look different.
#[test]
fn a_mapped_address_and_a_device_hide_no_client() {
    let (listener, own) = (TcpListener::bind("127.0.0.1:0").unwrap(), Some(own_cgroup()));
    let server = listener.local_addr().unwrap();
    let mapped = format!("[::ffff:127.0.0.1]:{}", server.port());
    let stream = TcpStream::connect(&mapped).unwrap();
    let client = SocketAddr::from(([127, 0, 0, 1], stream.local_addr().unwrap().port()));
    assert_eq!(diag::cgroup(client, server), own, "a socket for IPv6");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind_device(Some(b"lo")).unwrap();
    socket.connect(&server.into()).unwrap();
    let client = socket.local_addr().unwrap().as_socket().unwrap();
    assert_eq!(diag::cgroup(client, server), own, "a socket that is bound to a device");
}

/// A process in a pod's cgroup below `root`, which has connected to `server`.
fn connected_in(root: &Path, pod: &str, server: SocketAddr) -> Child {
    let cgroup = root.join(pod);
    fs::create_dir_all(&cgroup).unwrap();
    let script = r#"echo $$ >"$1/cgroup.procs" && exec 3<>"/dev/tcp/127.0.0.1/$2" && read -r _"#;
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash"]).arg(cgroup).arg(server.port().to_string());
    command.stdin(Stdio::piped()).spawn().unwrap()
}

/// Cgroups of this test, which are removed at its end.
struct Cgroups(PathBuf);

impl Drop for Cgroups {
    fn drop(&mut self) {
        let mut dirs = vec![self.0.clone()];
        let mut at = 0;
        while let Some(dir) = dirs.get(at) {
            let below = fs::read_dir(dir).into_iter().flatten().flatten();
            let below = below.map(|entry| entry.path()).filter(|path| path.is_dir());
            let below: Vec<PathBuf> = below.collect();
            dirs.extend(below);
            at += 1;
        }
        for dir in dirs.iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}

#[tokio::test]
async fn two_pods_at_one_address_are_distinguished() {
    let root = mounted().join(format!("podrole-test-{}", std::process::id()));
    if fs::create_dir(&root).is_err() {
        println!("not run: it needs root, to make cgroups");
        return;
    }
    let cgroups = Cgroups(root);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let owner = KernelSocketOwner::new(&cgroups.0, vec!["[::1]:1".parse().unwrap(), server]);
    let owner = owner.expect("cgroup v2");
    for (cgroup, uid) in [
        ("kubepods/burstable/pod0a1b-22/app", Some("0a1b-22")),
        ("kubepods.slice/kubepods-pod0a1b_33.slice/cri-1.scope", Some("0a1b-33")),
        ("system.slice/app.service", None),
    ] {
        let mut process = connected_in(&cgroups.0, cgroup, server);
        let (mut stream, client) = listener.accept().unwrap();
        assert_eq!(owner.pod_uid(client).await.as_deref(), uid, "{cgroup}");
        drop(process.stdin.take());
        process.wait().unwrap();
        let _ = stream.read(&mut [0; 1]);
    }
    // This process is in no pod.
    let stream = TcpStream::connect(server).unwrap();
    assert_eq!(owner.pod_uid(stream.local_addr().unwrap()).await, None);
    assert!(KernelSocketOwner::new(Path::new("/nonexistent"), Vec::new()).is_none());
}
