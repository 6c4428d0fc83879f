//! The servers of the demo (sandbox, webhook, agent) on 127.0.0.1, and the simulated cluster.

mod start;

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

use podrole_identity::{
    AnnotationPrefix, Audience, CREDENTIALS_ANNOTATION, CREDENTIALS_PATH, CredentialProvider,
    ServiceAccountAnnotations, ServiceAccountRef, variable,
};
use podrole_runtime::clock::now;
use podrole_sandbox::{Issuer, NodeRef, PodRef, Sandbox, TokenRequest};
use podrole_webhook::{DEFAULT_PATIENCE, Metrics, Webhook, mutate::ContainerReport};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, agent,
    api_server::ApiServer,
    client::Variables,
    cloud,
    kubelet::{self, RequestedToken},
    manifests::{Manifests, Workload},
    report::Report,
    service_accounts::{DemoServiceAccounts, UNTRUSTED, uid},
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
    webhook: Arc<Webhook<DemoServiceAccounts>>,
    webhook_address: SocketAddr,
    region: String,
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
    pub(crate) async fn start(manifests: &Manifests, region: &str) -> Result<Self, Failure> {
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
            agent::router(&issuer, sandbox_address, agent_address, region, &service_accounts)
                .await?;
        tokio::spawn(agent_server.run(router, shutdown.clone()));

        let webhook_server = bind("the webhook").await?;
        let webhook_address = webhook_server.address();
        let settings = settings(folder.path(), region, sandbox_address, agent_address);
        let webhook = Webhook::new(service_accounts.clone(), settings, Metrics::default());
        let webhook = Arc::new(webhook);
        let router = podrole_webhook::router(Arc::clone(&webhook));
        let authority = serve_tls(webhook_server, router, shutdown.clone())?;
        let api_server =
            ApiServer::new(webhook_address, WEBHOOK_NAME, authority.certificate_pem())?;
        Ok(Self {
            api_server,
            agent: agent_address,
            sandbox,
            sandbox_address,
            webhook,
            webhook_address,
            region: region.to_owned(),
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
        workloads: &[&Workload],
        report: &mut Report,
    ) -> Result<(), Failure> {
        for workload in workloads {
            let service_account = &workload.service_account;
            let annotations = self.service_accounts.annotations(service_account);
            let annotations = annotations.unwrap_or_default();
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

    /// What each container of a workload's pods gets.
    pub(crate) async fn containers(&self, workload: &Workload) -> Vec<ContainerReport> {
        let pod = workload.pod.to_string();
        let explained = self.webhook.explain(&workload.service_account, &pod, DEFAULT_PATIENCE);
        explained.await.unwrap_or_default()
    }

    /// Sends an SDK to the sandbox and to a region, if the pod does not choose one.
    pub(crate) fn complete(&self, variables: &mut Variables) {
        variables
            .insert(variable::ENDPOINT_URL.to_owned(), format!("http://{}", self.sandbox_address));
        if !variables.contains_key(variable::REGION)
            && !variables.contains_key(variable::DEFAULT_REGION)
        {
            variables.insert(variable::REGION.to_owned(), self.region.clone());
        }
    }

    /// The reason in the sandbox's log for the answer to a request.
    pub(crate) fn reason(&self, request_id: Option<&str>) -> Option<String> {
        let decisions = self.sandbox.decisions().into_iter();
        let mut same = decisions.filter(|it| it.request_id.as_deref() == request_id);
        request_id.and_then(|_| same.next()).map(|decision| decision.reason)
    }

    /// The reason in the sandbox's log for a refusal of a ServiceAccount that no role trusts. The agent
    /// does not pass on STS's request id, and only the demo's own token names that ServiceAccount.
    pub(crate) fn reason_untrusted(&self) -> Option<String> {
        let decisions = self.sandbox.decisions().into_iter();
        let mut own = decisions.filter(|it| !it.allowed && it.reason.contains(UNTRUSTED));
        own.next_back().map(|decision| decision.reason)
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

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "signed by another key",
            Self::Audience => "for another audience",
            Self::ServiceAccount => "of another ServiceAccount",
        })
    }
}
