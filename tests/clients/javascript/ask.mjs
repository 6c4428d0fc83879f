// One use of AWS by a JavaScript client that is not AWS's newest SDK.
//
// usage: ask.mjs js-v2 | msk-js
//
// js-v2 asks STS who it is; msk-js prints the token that it would send to Kafka.

import AWS from "aws-sdk";

const region = process.env.AWS_REGION;

const clients = {
  "js-v2": async () => (await new AWS.STS({ region }).getCallerIdentity().promise()).Arn,
  "msk-js": async () => {
    const { generateAuthToken } = await import("aws-msk-iam-sasl-signer-js");
    return (await generateAuthToken({ region })).token;
  },
};

try {
  console.log(await clients[process.argv[2]]());
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
