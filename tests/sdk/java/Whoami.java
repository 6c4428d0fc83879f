import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Scanner;
import software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * One question to STS with whatever credentials the AWS SDK for Java finds.
 *
 * <p>usage: Whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE
 * TOKEN_FILE
 *
 * <p>Prints one line of JSON, and one more, asked by the same client, for each line on standard
 * input: an empty one asks the same again, another has the next question's words with tabs between.
 */
public final class Whoami {
    private final StsClient sts;
    private String[] command;

    private Whoami(String[] command) {
        this.command = command;
        // The call needs no credentials, and this SDK looks for some all the same.
        boolean anonymous = command[0].equals("web-identity");
        sts =
                anonymous
                        ? StsClient.builder()
                                .credentialsProvider(AnonymousCredentialsProvider.create())
                                .build()
                        : StsClient.create();
    }

    public static void main(String[] arguments) {
        Whoami whoami = new Whoami(arguments);
        whoami.use();
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String line = lines.nextLine();
            if (!line.isEmpty()) {
                whoami.command = line.split("\t");
            }
            whoami.use();
        }
    }

    private void use() {
        long started = System.nanoTime();
        String result;
        try {
            result = "\"arn\":" + Json.quoted(ask());
        } catch (Exception error) {
            result = "\"error\":" + errorJson(error);
        }
        long ms = (System.nanoTime() - started) / 1_000_000;
        System.out.println("{" + result + ",\"ms\":" + ms + "}");
    }

    private String ask() throws Exception {
        switch (command[0]) {
            case "caller-identity":
                return sts.getCallerIdentity().arn();
            case "assume-role":
                String policy = command.length > 2 ? command[2] : null;
                return sts.assumeRole(
                                r ->
                                        r.roleArn(command[1])
                                                .roleSessionName("whoami")
                                                .policy(policy))
                        .assumedRoleUser()
                        .arn();
            case "session-token":
                return sts.getSessionToken().credentials().accessKeyId().substring(0, 4);
            case "web-identity":
                String token = Files.readString(Path.of(command[2]));
                return sts.assumeRoleWithWebIdentity(
                                r ->
                                        r.roleArn(command[1])
                                                .roleSessionName("whoami")
                                                .webIdentityToken(token))
                        .assumedRoleUser()
                        .arn();
            default:
                throw new IllegalArgumentException("no command " + command[0]);
        }
    }

    private static String errorJson(Exception error) {
        String json = "{\"class\":" + Json.quoted(error.getClass().getSimpleName());
        if (error instanceof AwsServiceException) {
            AwsServiceException aws = (AwsServiceException) error;
            if (aws.awsErrorDetails() != null) {
                json += ",\"code\":" + Json.quoted(aws.awsErrorDetails().errorCode());
            }
            json += ",\"status\":" + aws.statusCode();
        }
        return json + ",\"message\":" + Json.quoted(error.getMessage()) + "}";
    }
}
