//! The servers of the demo (sandbox, webhook, agent) on 127.0.0.1, and the simulated cluster.

mod start;

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

use podrole_identity::{
    AnnotationPrefix, Audience, CREDENTIALS_ANNOTATION, CREDENTIALS_PATH, CredentialProvider,
    ServiceAccountAnnotations, ServiceAccountRef,
};
use podrole_runtime::clock::now;
use podrole_sandbox::{Issuer, NodeRef, PodRef, Sandbox, TokenRequest};
use podrole_webhook::{Metrics, Webhook};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, agent,
    api_server::ApiServer,
    cloud,
    kubelet::{self, RequestedToken},
    manifests::{Manifests, Workload},
    report::Report,
    service_accounts::{DemoServiceAccounts, uid},
};
use start::{bind, serve_tls, settings};

/// The name under which an API server would call the webhook.
const WEBHOOK_NAME: &str = "podrole-webhook.podrole.svc";

/// The running servers. Dropping it stops them and removes their files.
pub(crate) struct Stage {
    pub(crate) api_server: ApiServer,
    pub(crate) agent: SocketAddr,
    sandbox: Sandbox,
    sandbox_address: SocketAddr,
    webhook_address: SocketAddr,
    issuer: Issuer,
    service_accounts: DemoServiceAccounts,
    folder: TempDir,
    shutdown: CancellationToken,
}

/// What is wrong with an invalid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidToken {
    /// Signed by another key than its `kid` names.
    Key,
    Audience,
    /// Of a ServiceAccount that the trust policy does not allow.
    ServiceAccount,
}

impl Stage {
    /// Starts everything on free ports of 127.0.0.1.
    pub(crate) async fn start(manifests: &Manifests) -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("podrole-demo-").map_err(|error| {
            Failure::new(
                "creating the demo's folder",
                error,
                "free space in the temporary folder ($TMPDIR)",
            )
        })?;
        let shutdown = CancellationToken::new();
        let sandbox_server = bind("the sandbox").await?;
        let sandbox_address = sandbox_server.address();
        let issuer = Issuer::generate(&format!("http://{sandbox_address}/oidc"))
            .map_err(|error| Failure::bug("creating the sandbox's issuer", &error))?;
        let sandbox = cloud::sandbox(issuer.clone());
        tokio::spawn(sandbox_server.run(sandbox.router(), shutdown.clone()));

        let service_accounts = DemoServiceAccounts::new(&manifests.service_accounts);
        let agent_server = bind("the agent").await?;
        let agent_address = agent_server.address();
        let router =
            agent::router(&issuer, sandbox_address, agent_address, &service_accounts).await?;
        tokio::spawn(agent_server.run(router, shutdown.clone()));

        let webhook_server = bind("the webhook").await?;
        let webhook_address = webhook_server.address();
        let settings = settings(folder.path(), sandbox_address, agent_address);
        let webhook = Webhook::new(service_accounts.clone(), settings, Metrics::default());
        let router = podrole_webhook::router(Arc::new(webhook));
        let authority = serve_tls(webhook_server, router, shutdown.clone())?;
        let api_server =
            ApiServer::new(webhook_address, WEBHOOK_NAME, authority.certificate_pem())?;
        Ok(Self {
            api_server,
            agent: agent_address,
            sandbox,
            sandbox_address,
            webhook_address,
            issuer,
            service_accounts,
            folder,
            shutdown,
        })
    }

    /// Prints the addresses of the servers.
    pub(crate) fn print_addresses(&self, report: &Report) {
        let sandbox =
            format!("http://{} (not AWS; do not use it to protect anything)", self.sandbox_address);
        report.step("sandbox AWS: OIDC, STS", &sandbox);
        let webhook = format!("https://{} as {WEBHOOK_NAME}", self.webhook_address);
        report.step("webhook", &webhook);
        report.step("agent", &format!("http://{}{CREDENTIALS_PATH}", self.agent));
    }

    /// Creates the roles that the workloads' ServiceAccounts name.
    pub(crate) fn create_roles(
        &self,
        workloads: &[Workload],
        report: &mut Report,
    ) -> Result<(), Failure> {
        for workload in workloads {
            let service_account = &workload.service_account;
            let Some(annotations) = self.service_accounts.annotations(service_account) else {
                return Err(missing(workload));
            };
            let read = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
            let Some(role) = read.role else { continue };
            if self.sandbox.has_role(&role) {
                continue;
            }
            let trusted = self.service_accounts.with_role(&role);
            let audiences = self.service_accounts.audiences();
            cloud::create_role(&self.sandbox, &self.issuer, &role, &trusted, &audiences)?;
            let trusts: Vec<String> = trusted.iter().map(ToString::to_string).collect();
            let text = format!("{role} trusts ServiceAccount {}", trusts.join(", "));
            report.step("created the IAM role", &text);
            report.result.roles.push(super::report::RoleReport { arn: role.to_string(), trusts });
        }
        Ok(())
    }

    /// Annotates a ServiceAccount with a credential provider unless it has it already, and prints
    /// the `kubectl annotate` that does the same.
    pub(crate) fn choose_provider(
        &self,
        service_account: &ServiceAccountRef,
        provider: CredentialProvider,
        report: &Report,
    ) {
        if self.service_accounts.provider(service_account) != provider {
            let (namespace, name) = (service_account.namespace(), service_account.name());
            report.note(&format!(
                "kubectl annotate serviceaccount -n {namespace} {name} {CREDENTIALS_ANNOTATION}={provider}"
            ));
            self.service_accounts.annotate(
                service_account,
                CREDENTIALS_ANNOTATION,
                provider.as_str(),
            );
        }
    }

    /// Mints and writes a token that the pod's volumes request.
    pub(crate) fn write_token(
        &self,
        workload: &Workload,
        requested: &RequestedToken,
    ) -> Result<(), Failure> {
        let service_account = workload.service_account.clone();
        let token = self.mint(
            &self.issuer,
            service_account,
            &requested.audience,
            requested.expiration_seconds,
        )?;
        kubelet::write(self.folder.path(), &requested.file, &token)
            .map_err(|error| Failure::new("writing the token", error, "free space in $TMPDIR"))
    }

    /// Mints a token that is valid for the workload except for `invalid`.
    pub(crate) fn mint_invalid(
        &self,
        workload: &Workload,
        invalid: InvalidToken,
    ) -> Result<String, Failure> {
        let service_account = workload.service_account.clone();
        let annotations = self.service_accounts.annotations(&service_account).unwrap_or_default();
        let read = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
        let audience = read.audience.unwrap_or_else(Audience::sts);
        match invalid {
            InvalidToken::Key => {
                let impostor = self.issuer.impostor();
                let impostor =
                    impostor.map_err(|error| Failure::bug("creating another key", &error))?;
                self.mint(&impostor, service_account, &audience, 3600)
            }
            InvalidToken::Audience => {
                let other = "vault.example.org".parse();
                let other = other.map_err(|error| Failure::bug("reading an audience", &error))?;
                self.mint(&self.issuer, service_account, &other, 3600)
            }
            InvalidToken::ServiceAccount => {
                let untrusted = self.service_accounts.add_untrusted(&service_account)?;
                self.mint(&self.issuer, untrusted, &audience, 3600)
            }
        }
    }

    /// Writes an invalid token and returns the path of its file.
    pub(crate) fn write_invalid_token(&self, token: &str) -> Result<String, Failure> {
        let file = self.folder.path().join("invalid-token");
        kubelet::write(self.folder.path(), &file, token)
            .map_err(|error| Failure::new("writing the token", error, "free space in $TMPDIR"))?;
        Ok(file.display().to_string())
    }

    /// The reasons of all decisions of the sandbox so far.
    pub(crate) fn decisions(&self) -> Vec<String> {
        self.sandbox.decisions().into_iter().map(|decision| decision.reason).collect()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn mint(
        &self,
        issuer: &Issuer,
        service_account: ServiceAccountRef,
        audience: &Audience,
        expiration_seconds: u32,
    ) -> Result<String, Failure> {
        let pod = format!("{}-demo", service_account.name());
        let request = TokenRequest {
            service_account_uid: uid(&service_account),
            service_account,
            audiences: vec![audience.clone()],
            expiration_seconds,
            pod: Some(PodRef { name: pod, uid: "5d0e3f0a-0000-4000-8000-000000000001".into() }),
            node: Some(NodeRef {
                name: "demo".into(),
                uid: "5d0e3f0a-0000-4000-8000-000000000002".into(),
            }),
        };
        issuer.mint(&request, now()).map_err(|error| Failure::bug("minting a token", &error))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn missing(workload: &Workload) -> Failure {
    let service_account = &workload.service_account;
    Failure::new(
        format!("finding the ServiceAccount of {workload}"),
        format!("the files do not contain ServiceAccount {service_account}"),
        "add it to the files with the annotation eks.amazonaws.com/role-arn",
    )
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "signed by another key",
            Self::Audience => "for another audience",
            Self::ServiceAccount => "of another ServiceAccount",
        })
    }
}
