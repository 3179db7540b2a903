// What every visit of a browser shares: Chromium without a window, what it complains of, pictures, and axe-core on each page that is looked at.
import fs from 'node:fs';
import { createRequire } from 'node:module';

import puppeteer from 'puppeteer-core';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Opens a browser, has `visit` use it, and reports on standard output what was found.
export async function browse({ executablePath, pictures, args = [] }, visit) {
  const found = { steps: [], complaints: [], violations: [] };
  const browser = await puppeteer.launch({
    executablePath,
    headless: true,
    acceptInsecureCerts: true,
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...args],
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
    // Goes on with the Tab key as far as what is wanted, and says what it passed.
    const tab = async (wanted) => {
      const passed = [];
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press('Tab');
        const [here, label] = await page.evaluate((selector) => {
          const at = document.activeElement;
          return [at.matches(selector), at.innerText || at.name || at.tagName];
        }, wanted);
        if (here) return passed;
        passed.push(label);
      }
      throw new Error(`no Tab leads to ${wanted}; it passed ${passed.join(', ')}`);
    };
    const text = () => page.$eval('main', (main) => main.innerText);
    await visit({ browser, page, found, look, leads, tab, text });
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(found));
}
