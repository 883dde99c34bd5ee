/** A plugin is a folder and a line: what each folder has, and that the examples of its README are right. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { composeDns } from '../../src/compose-dns.ts'
import { PLUGINS } from '../../src/plugins/dns/index.ts'
import { filesBelow, textOf } from './tree.ts'

const HEADINGS = ['Name', 'Description', 'Syntax', 'Examples']

const files = filesBelow('src/plugins/dns')

test('every plugin of the order has its folder, with a README in the form of CoreDNS and tests', () => {
  for (const name of PLUGINS) {
    const folder = `src/plugins/dns/${name}`
    for (const file of ['plugin.ts', 'README.md'])
      assert.ok(files.includes(`${folder}/${file}`), `${folder}/${file}`)
    assert.ok(
      files.some((file) => file.startsWith(`${folder}/`) && file.endsWith('.test.ts')),
      `${folder} has no test`,
    )
    const readme = textOf(`${folder}/README.md`)
    assert.ok(
      readme.startsWith(`# ${name}\n\n## Name\n\n*${name}* - `),
      `${folder}/README.md begins otherwise`,
    )
    const found = [...readme.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!)
    const order = HEADINGS.filter((heading) =>
      found.some((one) => one.toLowerCase() === heading.toLowerCase()),
    )
    assert.deepEqual(order, HEADINGS, `${folder}/README.md`)
  }
})

test('the Corefiles of the READMEs are right, but for the files that they name', async () => {
  for (const name of PLUGINS) {
    for (const [, text] of textOf(`src/plugins/dns/${name}/README.md`).matchAll(
      /^~~~ corefile\n(.*?)^~~~$/gms,
    )) {
      const { plane } = composeDns({
        read: async () => ({ text: text!, file: `${name}/README.md`, folder: '/nowhere' }),
        env: {},
        log: () => undefined,
      })
      const wrong = await plane.check().then(
        () => '',
        (error: Error) => error.message,
      )
      // A file that an example names is not here.
      if (!/ENOENT|no such file|cannot be read/.test(wrong)) assert.equal(wrong, '', `${name}: ${text}`)
    }
  }
})
