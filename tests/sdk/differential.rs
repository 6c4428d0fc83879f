//! The sandbox beside moto, which plays STS without checking: the same calls, alike in form.

use podrole_tests::{project, python};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    client::bare,
    stage::{APP, Stage, Way, next_role, role},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_what_moto_answers_the_sandbox_answers_alike() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(APP).unwrap();
    let pod = stage.pod(Way::Call, &token).unwrap();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(python::bin().unwrap().join("python"))
        .arg(project::root().join("tests/sdk/python/differential.py"))
        .arg(format!("http://{}", stage.sts_address))
        .arg(pod.token_file)
        .args([role(), next_role()])
        .env_clear()
        .envs(bare(home.path()))
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result, json!({"calls": 3, "differences": []}));
}
