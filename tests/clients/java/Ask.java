import io.minio.GetObjectArgs;
import io.minio.MinioClient;
import io.minio.credentials.IamAwsProvider;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;

/**
 * One use of AWS by a Java client that is not an AWS SDK, or that is built on one.
 *
 * <p>usage: Ask minio-java | s3a [PROVIDERS] | msk-java
 *
 * <p>The first two read an object of the bucket "clients"; s3a takes the value of fs.s3a.aws.credentials.provider. msk-java prints
 * the token that it would send to Kafka.
 */
public final class Ask {
    private static final String REGION = System.getenv("AWS_REGION");

    private Ask() {}

    public static void main(String[] arguments) throws Exception {
        System.out.println(ask(arguments));
        System.exit(0); // some of them have threads that stay
    }

    private static String ask(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "minio-java":
                return minio();
            case "s3a":
                return s3a(arguments.length > 1 ? arguments[1] : null);
            case "msk-java":
                return msk();
            default:
                throw new IllegalArgumentException("no client " + arguments[0]);
        }
    }

    private static String minio() throws Exception {
        MinioClient client =
                MinioClient.builder()
                        .endpoint("https://s3." + REGION + ".amazonaws.com")
                        .region(REGION)
                        .credentialsProvider(new IamAwsProvider(null, null))
                        .build();
        GetObjectArgs object = GetObjectArgs.builder().bucket("clients").object("a.csv").build();
        try (var read = client.getObject(object)) {
            return new String(read.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String s3a(String providers) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set("fs.s3a.endpoint.region", REGION);
        configuration.set("fs.s3a.attempts.maximum", "2");
        configuration.set("fs.s3a.retry.limit", "1");
        if (providers != null) {
            configuration.set("fs.s3a.aws.credentials.provider", providers);
        }
        FileSystem files = FileSystem.newInstance(URI.create("s3a://clients/"), configuration);
        try (FSDataInputStream read = files.open(new Path("s3a://clients/a.csv"))) {
            return new String(read.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String msk() throws Exception {
        Map<String, Object> options = new HashMap<>();
        options.put("awsStsRegion", REGION);
        String module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
        var entry =
                new AppConfigurationEntry(
                        module, AppConfigurationEntry.LoginModuleControlFlag.REQUIRED, options);
        IAMOAuthBearerLoginCallbackHandler handler = new IAMOAuthBearerLoginCallbackHandler();
        handler.configure(Map.of(), "OAUTHBEARER", java.util.List.of(entry));
        OAuthBearerTokenCallback callback = new OAuthBearerTokenCallback();
        handler.handle(new Callback[] {callback});
        return callback.token().value();
    }
}
