import com.amazonaws.AmazonServiceException;
import com.amazonaws.services.securitytoken.AWSSecurityTokenService;
import com.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;
import java.util.Scanner;

/**
 * Who am I, by the AWS SDK for Java v1.
 *
 * <p>Prints one line of JSON, and one more, asked by the same client, for each line on standard
 * input.
 */
public final class WhoamiV1 {
    public static void main(String[] arguments) {
        // "Please use v2" is no answer to the question.
        System.setProperty("aws.java.v1.disableDeprecationAnnouncement", "true");
        AWSSecurityTokenService sts = AWSSecurityTokenServiceClientBuilder.defaultClient();
        use(sts);
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            lines.nextLine();
            use(sts);
        }
    }

    private static void use(AWSSecurityTokenService sts) {
        long started = System.nanoTime();
        String line;
        try {
            String arn = sts.getCallerIdentity(new GetCallerIdentityRequest()).getArn();
            line = "\"arn\":" + Json.quoted(arn);
        } catch (Exception error) {
            line = "\"error\":" + json(error);
        }
        long ms = (System.nanoTime() - started) / 1_000_000;
        System.out.println("{" + line + ",\"ms\":" + ms + "}");
    }

    private static String json(Exception error) {
        String line = "{\"class\":" + Json.quoted(error.getClass().getSimpleName());
        if (error instanceof AmazonServiceException) {
            AmazonServiceException aws = (AmazonServiceException) error;
            line += ",\"code\":" + Json.quoted(aws.getErrorCode()) + ",\"status\":" + aws.getStatusCode();
        }
        return line + ",\"message\":" + Json.quoted(error.getMessage()) + "}";
    }
}
