// One question to STS with whatever credentials the AWS SDK for JavaScript finds.
//
// usage: whoami.mjs caller-identity | assume-role ROLE | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";

const [command, RoleArn, tokenFile] = process.argv.slice(2);
const RoleSessionName = "whoami";
const sts = new STSClient({});

async function ask() {
  switch (command) {
    case "caller-identity":
      return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
    case "assume-role": {
      const answer = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName }));
      return answer.AssumedRoleUser.Arn;
    }
    case "web-identity": {
      const WebIdentityToken = readFileSync(tokenFile, "ascii");
      const input = { RoleArn, RoleSessionName, WebIdentityToken };
      const answer = await sts.send(new AssumeRoleWithWebIdentityCommand(input));
      return answer.AssumedRoleUser.Arn;
    }
    default:
      throw new Error(`no command ${command}`);
  }
}

function told(error) {
  return {
    class: error.constructor.name,
    code: error.Code ?? error.name,
    status: error.$metadata?.httpStatusCode,
    message: error.message,
  };
}

async function use() {
  const started = performance.now();
  let line;
  try {
    line = { arn: await ask() };
  } catch (error) {
    line = { error: told(error) };
  }
  line.ms = Math.round(performance.now() - started);
  console.log(JSON.stringify(line));
}

await use();
for await (const _ of createInterface({ input: process.stdin })) {
  await use();
}
