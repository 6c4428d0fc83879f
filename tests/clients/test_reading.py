"""What is read of clients' outputs, with outputs as they were."""

import base64
import unittest

from clients import CLIENTS, WAYS
from denials import _shown
from main import slug
from sdks import PAIRS
from stage import signed_url

JAVA = (
    'Exception in thread "main" software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials from any of the'
    " providers in the chain [ContainerCredentialsProvider(): Failed to load credentials from metadata service.,"
    " InstanceProfileCredentialsProvider(): Failed to load credentials from IMDS.]"
)


class Denials(unittest.TestCase):
    def test_sentences_are_found_in_an_error(self):
        boto3 = "non 200 response 403: AWS does not allow ServiceAccount shop/app ...; allow it in its trust policy for"
        self.assertEqual(_shown(boto3, "container", False), "error and Event")
        self.assertEqual(
            _shown("Not authorized to perform sts:AssumeRoleWithWebIdentity", "web-identity", False), "error"
        )

    def test_the_line_with_the_status_is_shown(self):
        text = "OSError: Kernel error\n  \x1b[31m↳\x1b[0m StatusCode(403)\n"
        self.assertEqual(_shown(text, "container", False), "**Event only**: `↳ StatusCode(403)`")

    def test_the_status_of_an_unsigned_request_is_not_the_denials(self):
        text = "Error: no credentials\nHTTP response code: 403"
        self.assertEqual(_shown(text, "container", True), "**Event only**: `Error: no credentials`")

    def test_javas_chain_is_shown_by_the_provider_that_matters(self):
        text = f"SLF4J: Failed to load class\n{JAVA}\n\tat Ask.main(Ask.java:31)\n"
        shown = "**Event only**: `ContainerCredentialsProvider(): Failed to load credentials from metadata service`"
        self.assertEqual(_shown(text, "container", False), shown)

    def test_no_token_is_shown(self):
        text = "ValueError: https://sts.example.test?Action=A&WebIdentityToken=eyJh.eyJp.X failed with status 403"
        self.assertNotIn("eyJ", _shown(text, "web-identity", False))


class Signers(unittest.TestCase):
    def test_msks_token_is_the_url_without_the_agent_that_is_added_later(self):
        for url in (
            "https://k/?A=b&User-Agent=x%2F1&X-Amz-Date=c",
            "https://k/?A=b&X-Amz-Date=c&User-Agent=x",
        ):
            token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
            self.assertEqual(signed_url(f"a log line\n{token}\n"), "https://k/?A=b&X-Amz-Date=c")

    def test_a_url_is_taken_as_it_is(self):
        self.assertEqual(signed_url("https://sts.example.test/?A=b\n"), "https://sts.example.test/?A=b")


class Names(unittest.TestCase):
    def test_each_client_has_roles_of_its_own_that_iam_allows(self):
        clients = [*CLIENTS, *(newest for newest, _ in PAIRS.values())]
        names = [slug(client, f"{way} denied") for client in clients for way in WAYS]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(max(map(len, names)), 64)


if __name__ == "__main__":
    unittest.main()
