// A person at a browser who signs in by the firm's own means: a password, a second factor, a link that is mailed; and says for whom they act; README.md says what it reports.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { browse } from './browse.mjs';

// `now` is the daemon's own time, in seconds; it stands still. Mails come as files mail-1, mail-2 … into the folder `mails`.
const [executablePath, home, pictures, mails, login, password, now] = process.argv.slice(2);

// What an authenticator app shows in a step (RFC 6238), for a key as a person types it in.
function code(key, step) {
  const bits = [...key].map((digit) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(digit).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const tag = crypto.createHmac('sha1', secret).update(counter).digest();
  const number = tag.readUInt32BE(tag[tag.length - 1] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

// Waits for a mail with a link that begins so, and returns the link.
async function linkMailed(beginning) {
  for (let tries = 0; tries < 200; tries += 1) {
    for (const name of fs.readdirSync(mails).filter((name) => name.startsWith('mail-'))) {
      const mail = fs.readFileSync(`${mails}/${name}`, 'utf8').replaceAll('=\r\n', '').replaceAll('=3D', '=');
      const at = mail.indexOf(beginning);
      if (at >= 0) return mail.slice(at).match(/^\S+/)[0];
    }
    await pause(100);
  }
  throw new Error(`no mail came with a link that begins ${beginning}`);
}

await browse({ executablePath, pictures }, async ({ browser, page, found, look, leads, text }) => {
  const step = Math.floor(Number(now) / 30);
  const type = async (field, what) => {
    await page.$eval(field, (input) => { input.value = ''; });
    await page.type(field, what);
  };
  const byPassword = async (what) => {
    await type('#login', login);
    await type('#password', what);
    await leads(() => page.keyboard.press('Enter'));
  };
  const toPassword = async () => {
    await page.goto(`${home}/login`);
    await leads(() => page.click('a[href^="/password/login"]'));
  };
  // Who is signed in, asked beside the page: no script of a page may ask, by its own policy.
  const session = async () => {
    const other = await browser.newPage();
    const answer = await other.goto(`${home}/session`);
    const found = answer.ok() ? (await answer.json()).session : answer.status();
    await other.close();
    return found;
  };
  const signOut = () => leads(() => page.click('form[action="/logout"] button'));

  // A password: a wrong one first.
  await page.goto(`${home}/`);
  await look('own-ways');
  await leads(() => page.click('a[href^="/password/login"]'));
  await look('own-password');
  await byPassword('not the password at all');
  await look('own-password-refused');
  found.refused = await text();
  await byPassword(password);
  found.byPassword = { url: page.url(), text: await text() };
  found.cookies = await page.evaluate(() => document.cookie);

  // For whom they act: they say so, and stop.
  await page.goto(`${home}/me`);
  await leads(() => page.click('a[href="/me/acting"]'));
  await look('own-acting');
  await leads(() => page.click('main li form[action="/me/acting"] button'));
  await look('own-acting-now');
  found.acting = { text: await text(), session: await session() };
  await leads(() => page.click('main > form[action="/me/acting"] button'));
  found.afterActing = await session();
  await leads(() => page.click('main p a[href="/me"]'));

  // A second factor, set up by typing its key into a device.
  await leads(() => page.click('a[href="/me/second-factor"]'));
  await look('own-factor');
  const [, key] = (await text()).match(/key: ([A-Z2-7]+)/);
  await type('#code', code(key, step));
  await leads(() => page.keyboard.press('Enter'));
  await look('own-codes');
  const recovery = await page.$$eval('main li code', (all) => all.map((one) => one.innerText));
  found.recovery = recovery.length;
  await leads(() => page.click('main a.button'));
  await signOut();

  // The password alone does not do any more, nor does a code that was used.
  await toPassword();
  await byPassword(password);
  await look('own-second');
  found.half = await session();
  await type('#code', code(key, step));
  await leads(() => page.keyboard.press('Enter'));
  found.usedCode = await text();
  await type('#code', code(key, step + 1));
  await leads(() => page.keyboard.press('Enter'));
  found.byCode = { url: page.url(), session: await session() };
  await signOut();

  // A link: a program that looks at it does not use it up; it takes the second factor too, and opens once.
  await page.goto(`${home}/login`);
  await leads(() => page.click('a[href^="/magic-link"]'));
  await look('own-mail');
  await type('#login', login);
  await leads(() => page.keyboard.press('Enter'));
  found.asked = await text();
  const link = await linkMailed(`${home}/magic-link/`);
  const other = await browser.newPage();
  await other.goto(link);
  await other.close();
  await page.goto(link);
  await look('own-link');
  await type('#code', recovery[0]);
  await leads(() => page.click('main button[type=submit]'));
  found.byLink = { url: page.url(), session: await session() };
  await signOut();
  await page.goto(link);
  await look('own-link-gone');
  found.again = await text();

  await page.setViewport({ width: 320, height: 800 });
  await page.goto(`${home}/password/login`);
  found.overflows = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
});
