//! The program's output at the start, and if it cannot start.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/sandbox.yaml");
const ACCOUNT: &str = "111122223333";
const FREE: &str = "127.0.0.1:0";
const ISSUER: &str = "http://127.0.0.1:4566";

fn program(args: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_podrole-sandbox"));
    program.args(args).env("PODROLE_LOG", "error").env_remove("KUBERNETES_SERVICE_HOST");
    program
}

fn refused(args: &[&str]) -> String {
    let output = program(args).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn get_jwks(address: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET /openid/v1/jwks HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_failed_start_prints_one_line_that_says_how_to_fix_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().to_string();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (args, hint) in [
        (&["--config", "/none.yaml"][..], "--config"),
        (&["--config", manifest], "line "),
        (&["--config", EXAMPLE], "--issuer-url"),
        (&["--config", EXAMPLE, "--issuer-url", "oidc.example"], "--issuer-url"),
        (&["--config", EXAMPLE, "--issuer-url", ISSUER, "--state", manifest], "--state"),
        (&["--config", EXAMPLE, "--issuer-url", ISSUER, "--bind", &busy], "choose another port"),
        (&["--auto-roles", "--in-cluster", "--account", ACCOUNT], "only works in a pod"),
        (&["--auto-roles", "--bind", FREE], "--account 111122223333"),
        (&["--config", EXAMPLE, "--issuer-url", ISSUER, "--session-key", manifest], "base64"),
        (
            &[
                "--auto-roles",
                "--account",
                ACCOUNT,
                "--bind",
                FREE,
                "--tls-bind",
                FREE,
                "--tls-cert",
                "/none",
                "--tls-key",
                "/none",
            ],
            "name a PEM file",
        ),
    ] {
        let line = refused(args);
        assert!(line.contains(hint), "{args:?}: {line}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    }
    let usage = refused(&["--config", EXAMPLE, "--credential-life", "soon"]);
    assert!(usage.contains("30s"), "{usage}");
    for (args, wanted) in [
        (&["--bind", FREE][..], "--config"),
        (&["--auto-roles", "--tls-bind", FREE], "--tls-cert"),
        (&["--auto-roles", "--cluster-state", "a"], "--in-cluster"),
        (&["--auto-roles", "--account", "1"], "12 digits"),
    ] {
        let usage = refused(args);
        assert!(usage.contains(wanted), "{usage}");
    }
    let usage = refused(&["--config", EXAMPLE, "--fault", "oops"]);
    assert!(usage.contains("code=Throttling"), "{usage}");
}

#[test]
fn the_program_prints_that_it_is_not_aws() {
    let fault = "operation=Jwks,status=418";
    let args = ["--config", EXAMPLE, "--issuer-url", ISSUER, "--bind", FREE, "--fault", fault];
    let mut child = program(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
    // A fault from the command line applies from the start.
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(": ").next());
    let headers = ["host: a", "host: rebound.evil.com", "host: a\r\norigin: https://evil.com"];
    let answers = headers.map(|it| address.map(|address| get_jwks(address, &format!("{it}\r\n"))));
    child.kill().unwrap();
    child.wait().unwrap();
    read.unwrap();
    assert!(line.contains("this is not AWS"), "{line}");
    // Pages of strangers get nothing, by no name.
    let answers = answers.map(Option::unwrap);
    for (answer, status) in answers.iter().zip([418, 403, 403]) {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}
