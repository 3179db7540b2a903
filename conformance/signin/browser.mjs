// A person at a browser: signs in, looks at My Account, changes something, signs out; README.md says what it reports.
import fs from 'node:fs';
import { createRequire } from 'node:module';

import puppeteer from 'puppeteer-core';

const [executablePath, home, host, pictures] = process.argv.slice(2);
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const found = { steps: [], complaints: [], violations: [] };

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  acceptInsecureCerts: true,
  args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${host} 127.0.0.1`],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  // What the browser complains of: refused styles and scripts, errors, forms that were stopped.
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) found.complaints.push(message.text());
  });
  page.on('pageerror', (error) => found.complaints.push(String(error)));

  const look = async (name) => {
    found.steps.push({ name, url: page.url(), title: await page.title() });
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.screenshot({ path: `${pictures}/${name}-${scheme}.png` });
      // Its world is its own, so that the page's policy does not concern it.
      const client = await page.createCDPSession();
      const { frameTree } = await client.send('Page.getFrameTree');
      const { executionContextId: contextId } = await client.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
      await client.send('Runtime.evaluate', { expression: axe, contextId });
      const { result } = await client.send('Runtime.evaluate', {
        expression: 'axe.run().then((run) => JSON.stringify(run.violations.map((one) => [one.id, one.nodes.map((node) => node.html)])))',
        contextId, awaitPromise: true,
      });
      await client.detach();
      found.violations.push(...JSON.parse(result.value).map(([rule, nodes]) => ({ page: name, scheme, rule, nodes })));
    }
    await page.emulateMediaFeatures([]);
  };
  // Each key waits for the page that it leads to.
  const leads = (act) => Promise.all([page.waitForNavigation({ waitUntil: 'load' }), act()]);
  const text = () => page.$eval('main', (main) => main.innerText);

  await page.goto(`${home}/`);
  await look('login');
  // By keyboard alone: past the skip link and the address to the provider's button.
  await page.focus('.ways a');
  await leads(() => page.keyboard.press('Enter'));
  await look('account');
  found.signedIn = await text();

  await page.$eval('#work_phone', (field) => { field.value = ''; });
  await page.type('#work_phone', '+44 20 7946 0000');
  await leads(() => page.click('section form button[type=submit]'));
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

  await leads(() => page.click('form[action="/logout"] button'));
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
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(found));
