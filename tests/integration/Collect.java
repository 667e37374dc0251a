import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.util.Properties;
import javax.mail.Address;
import javax.mail.Folder;
import javax.mail.Message;
import javax.mail.MessageRemovedException;
import javax.mail.Session;
import javax.mail.Store;
import javax.mail.internet.MimeMessage;
import javax.mail.internet.MimeUtility;

/**
 * Collects a maildrop by JavaMail, and keeps it: Collect PORT USER PASSWORD DIR.
 * Each message is DIR/N; a line on standard output has its number, and subject
 * and author as a person would read them, or "refused".
 */
public class Collect {
	public static void main(String[] a) throws Exception {
		Properties p = new Properties();
		p.put("mail.mime.allowutf8", "true");
		p.put("mail.pop3s.ssl.trust", "*");
		p.put("mail.pop3s.timeout", "60000");
		p.put("mail.pop3s.auth.mechanisms", "PLAIN");
		Session session = Session.getInstance(p);
		Store store = session.getStore("pop3s");
		store.connect("localhost", Integer.parseInt(a[0]), a[1], a[2]);
		Folder inbox = store.getFolder("INBOX");
		inbox.open(Folder.READ_ONLY);
		for (Message m : inbox.getMessages()) {
			int n = m.getMessageNumber();
			String file = a[3] + "/" + n;
			try (FileOutputStream f = new FileOutputStream(file)) {
				m.writeTo(f);
				say(n + "\t" + read(session, file));
			} catch (MessageRemovedException e) {
				new File(file).delete();
				say(n + "\trefused");
			}
		}
		System.out.flush();
		inbox.close(false);
		store.close();
	}

	private static void say(String line) throws Exception {
		System.out.write((line + "\n").getBytes("UTF-8"));
	}

	/** Subject and author. */
	private static String read(Session s, String file) throws Exception {
		MimeMessage m = new MimeMessage(s, new FileInputStream(file));
		Address[] from = m.getFrom();

		return m.getSubject() + "\t" + (from == null ? ""
		    : MimeUtility.decodeText(from[0].toString()));
	}
}
