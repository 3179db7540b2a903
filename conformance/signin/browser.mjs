// A person at a browser: signs in, looks at My Account, changes something, signs out; README.md says what it reports.
import { browse } from './browse.mjs';

const [executablePath, home, host, pictures] = process.argv.slice(2);
const args = [`--host-resolver-rules=MAP ${host} 127.0.0.1`];

await browse({ executablePath, pictures, args }, async ({ browser, page, found, look, leads, tab, text }) => {
  await page.goto(`${home}/`);
  await look('login');
  // By keyboard alone: from the address, where one begins, to the provider's button.
  found.begins = await page.evaluate(() => document.activeElement.id);
  await tab('.ways a');
  await leads(() => page.keyboard.press('Enter'));
  await look('account');
  found.signedIn = await text();

  // The first stop is the link past the head, and it leads there.
  found.beforeSkip = await tab('a[href="#main"]');
  await page.keyboard.press('Enter');
  found.skippedTo = await page.evaluate(() => document.activeElement.id);
  await tab('#work_phone');
  // What stands in a field is marked when the Tab key comes to it.
  await page.keyboard.type('+44 20 7946 0000');
  await tab('section form button[type=submit]');
  await leads(() => page.keyboard.press('Enter'));
  found.saved = await text();

  await page.setViewport({ width: 320, height: 800 });
  await look('account-narrow');
  found.overflows = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await page.setViewport({ width: 1024, height: 768 });

  // A second window of the same browser is signed in too, and a script can read no cookie.
  const other = await browser.newPage();
  await other.goto(`${home}/me`);
  found.second = await other.$eval('main', (main) => main.innerText);
  found.cookies = await other.evaluate(() => document.cookie);
  await other.close();

  await tab('form[action="/logout"] button');
  await leads(() => page.keyboard.press('Space'));
  await look('signed-out');
  await page.goto(`${home}/me`);
  found.afterwards = page.url();

  // By address: what the form leads to is another site, which the page's policy must not stop.
  await page.type('#address', 'ada@firm.example');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname === '/me');
  found.byAddress = await text();

  await page.goto(`${home}/sso/nobody/start`);
  await look('refused');
});
