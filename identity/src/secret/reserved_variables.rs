//! The variables that a ServiceAccount's Secrets must not set. Each lets its value choose code that a
//! program loads, a host that it trusts or sends credentials to, or the credentials themselves.
//!
//! The keys of a Secret follow the prefix, and the Secret's author chooses them. So a prefix is
//! reserved if a variable below begins with it, and also if it begins like a family below.
//! A variable without `_` behind its first word, like `PYTHONPATH` or `CLASSPATH`, cannot be
//! reached by a prefix that ends with `_`; it is listed only where it names a family.

/// The beginning of variables' names, and what reads them.
const RESERVED: [(&str, &str); 87] = [
    // Loaders: code in every process of the container.
    ("LD_", "the dynamic loader"),
    ("DYLD_", "the dynamic loader"),
    ("GLIBC_", "the C library"),
    ("GCONV_", "the C library"),
    ("MALLOC_", "the C library"),
    ("RES_OPTIONS", "the C library"),
    ("RESOLV_", "the C library"),
    ("OPENSSL_", "OpenSSL"),
    ("CUDA_", "CUDA"),
    ("NVIDIA_", "CUDA"),
    ("QT_", "Qt"),
    ("GTK_", "GTK"),
    ("GIO_", "GLib"),
    ("GST_", "GStreamer"),
    ("GDAL_", "GDAL"),
    ("MAGICK_", "ImageMagick"),
    ("ORACLE_", "Oracle's client"),
    ("TNS_", "Oracle's client"),
    // Shells and what they run.
    ("BASH_", "bash"),
    ("PROMPT_COMMAND", "bash"),
    ("GIT_", "git"),
    ("SSH_", "SSH"),
    ("SUDO_", "sudo"),
    ("XDG_", "configuration files"),
    // Interpreters and runtimes: options, and where they look for code.
    ("PYTHON", "Python"),
    ("PIP_", "Python"),
    ("UV_", "Python"),
    ("POETRY_", "Python"),
    ("CONDA_", "Python"),
    ("VIRTUAL_ENV", "Python"),
    ("DJANGO_", "Python"),
    ("FLASK_", "Python"),
    ("GUNICORN_", "Python"),
    ("UVICORN_", "Python"),
    ("UWSGI_", "Python"),
    ("AIRFLOW_", "Airflow"),
    ("NODE_", "Node.js"),
    ("NPM_", "Node.js"),
    ("YARN_", "Node.js"),
    ("TS_NODE_", "Node.js"),
    ("ELECTRON_", "Electron"),
    ("DENO_", "Deno"),
    ("BUN_", "Bun"),
    ("JAVA_", "Java"),
    ("JDK_", "Java"),
    ("JRE_", "Java"),
    ("CATALINA_", "Tomcat"),
    ("MAVEN_", "Java"),
    ("GRADLE_", "Java"),
    ("HADOOP_", "Java"),
    ("SPARK_", "Java"),
    ("LOG4J_", "Java"),
    ("SPRING_", "Spring"),
    ("DOTNET_", ".NET"),
    ("CORECLR_", ".NET"),
    ("COR_", ".NET"),
    ("ASPNETCORE_", ".NET"),
    ("MONO_", "Mono"),
    ("PERL", "Perl"),
    ("RUBY", "Ruby"),
    ("GEM_", "Ruby"),
    ("BUNDLE_", "Ruby"),
    ("PHP", "PHP"),
    ("LUA_", "Lua"),
    ("ERL_", "Erlang"),
    ("ELIXIR_", "Elixir"),
    ("JULIA_", "Julia"),
    ("R_", "R"),
    // Proxies and CAs: who sees and answers requests.
    ("HTTP_PROXY", "proxies"),
    ("HTTPS_PROXY", "proxies"),
    ("ALL_PROXY", "proxies"),
    ("NO_PROXY", "proxies"),
    ("SSL_", "the trusted CAs"),
    ("CURL_", "the trusted CAs"),
    ("REQUESTS_", "the trusted CAs"),
    ("GRPC_", "the trusted CAs"),
    ("KRB5_", "Kerberos"),
    // Clients of clouds and clusters: endpoints, credentials, files of both.
    ("AWS_", "AWS SDKs"),
    ("BOTO_", "AWS SDKs"),
    ("GOOGLE_", "Google's SDKs"),
    ("AZURE_", "Azure's SDKs"),
    ("KUBERNETES_", "Kubernetes clients"),
    ("DOCKER_", "Docker"),
    ("VAULT_", "Vault's clients"),
    ("OTEL_", "OpenTelemetry"),
    ("SENTRY_", "Sentry"),
    ("PODROLE_", "podrole"),
];

/// What reads a variable that begins with `prefix`, if that is reserved.
pub(super) fn reader_of(prefix: &str) -> Option<&'static str> {
    let reserved =
        RESERVED.iter().find(|(name, _)| name.starts_with(prefix) || prefix.starts_with(name));
    reserved.map(|(_, reader)| *reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_a_reserved_variable_is_reserved_in_both_directions() {
        for (prefix, reader) in [
            ("LD_", "the dynamic loader"),
            ("LD_PRE", "the dynamic loader"),
            ("L", "the dynamic loader"),
            ("", "the dynamic loader"),
            ("PYTHON_", "Python"),
            ("PYTHON3_", "Python"),
            ("PY", "Python"),
            ("HTTPS_", "proxies"),
            ("TS_", "Node.js"),
            ("PROMPT_", "bash"),
            ("AWS_", "AWS SDKs"),
            ("AWS_CONTAINER_", "AWS SDKs"),
        ] {
            assert_eq!(reader_of(prefix), Some(reader), "{prefix}");
        }
        for prefix in ["DB_", "FLAG_", "APP_", "DATABASE_", "HTTPD_", "AWSX_", "LDAP_", "NODES_"] {
            assert_eq!(reader_of(prefix), None, "{prefix}");
        }
    }

    #[test]
    fn every_reserved_variable_is_reached_by_its_first_word() {
        for (name, _) in RESERVED {
            let word = name.split('_').next().unwrap_or_default();
            assert!(reader_of(&format!("{word}_")).is_some(), "{name}");
        }
    }
}
