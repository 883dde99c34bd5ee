/** What `file` answers, and that it follows its files. */
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { blockOf, type TestBlock } from '../testing/block.ts'
import { zoneFolder, zoneText } from '../testing/zone-folder.ts'
import transfer from '../transfer/plugin.ts'
import file from './plugin.ts'

const serialOf = async (block: TestBlock): Promise<number | undefined> => {
  const outcome = await block.ask('example.org', 'SOA')
  const rdata = outcome instanceof DnsMessage ? outcome.answer[0]?.rdata : undefined
  return rdata?.readUInt32BE(rdata.length - 20)
}

test('names are answered with AA, whatever their case; what is not there with the SOA', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db', zoneText(1))
  const block = await blockOf(t, 'file db', { plugins: [file], folder: folder.path })
  const answer = await block.answer('WWW.Example.ORG')
  assert.ok(answer.isAuthoritative)
  assert.deepEqual([...answer.answer[0]!.rdata], [192, 0, 2, 2])
  const nowhere = await block.answer('nowhere.example.org')
  assert.equal(nowhere.rcode, RCODE.NXDOMAIN)
  // The lesser of its own TTL and its last number (RFC 2308).
  assert.equal(nowhere.authority[0]!.ttl, 60)
  assert.equal(await block.ask('www.example.com'), RCODE.REFUSED)
  assert.equal(await block.ask('www.example.org', 'A', { class: 3 }), RCODE.REFUSED)
  assert.equal(await block.ask('example.org', 'AXFR', { isTcp: true }), RCODE.REFUSED)
})

test('a zone below another one answers for itself, but for its DS', async (t) => {
  const folder = zoneFolder(t)
  folder.write('parent', zoneText(1, 'child 300 IN NS ns1.child\nns1.child 300 IN A 192.0.2.9'))
  folder.write('child', zoneText(2))
  const block = await blockOf(t, 'file parent example.org\nfile child child.example.org', {
    plugins: [file],
    folder: folder.path,
  })
  const own = await block.answer('www.child.example.org')
  assert.ok(own.isAuthoritative)
  const ds = await block.answer('child.example.org', 'DS')
  assert.ok(ds.isAuthoritative)
  assert.equal(ds.authority[0]!.name.toString(), 'example.org.')
})

test('a CNAME that leads out of the zone is followed through the server block, in circles too', async (t) => {
  const folder = zoneFolder(t)
  folder.write(
    'one',
    zoneText(
      1,
      'out 300 IN CNAME www.two.example.\nloop 300 IN CNAME loop.two.example.\ngone 300 IN CNAME gone.two.example.\nfar 300 IN CNAME www.far.example.',
    ),
  )
  folder.write('two', zoneText(1, 'loop 300 IN CNAME loop.example.org.'))
  const block = await blockOf(t, 'file one example.org\nfile two two.example', {
    plugins: [file],
    folder: folder.path,
  })
  const out = await block.answer('out.example.org')
  assert.deepEqual(
    out.answer.map(({ name }) => name.toString()),
    ['out.example.org.', 'www.two.example.'],
  )
  const gone = await block.answer('gone.example.org')
  assert.deepEqual([gone.rcode, gone.answer.length, gone.authority.length], [RCODE.NXDOMAIN, 1, 1])
  const far = await block.answer('far.example.org')
  assert.deepEqual([far.rcode, far.answer.length], [RCODE.NOERROR, 1])
  const loop = await block.answer('loop.example.org')
  assert.ok(loop.answer.length >= 2 && loop.answer.length < 20, String(loop.answer.length))
})

test('names that are not there go on, where that is wanted', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db', zoneText(1))
  const block = await blockOf(t, 'file db {\n fallthrough\n}', { plugins: [file], folder: folder.path })
  assert.equal(await block.ask('nowhere.example.org'), RCODE.REFUSED)
  assert.equal((await block.answer('www.example.org', 'TXT')).rcode, RCODE.NOERROR)
})

test('a file with another serial takes the place of the zone; what is wrong in one does not', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db', zoneText(5))
  const block = await blockOf(t, 'file db {\n reload 20ms\n}', { plugins: [file], folder: folder.path })
  const logs = (pattern: RegExp) =>
    eventually(() => block.logged.some((line) => pattern.test(line)), { what: () => block.logged.join('\n') })

  folder.write('new', zoneText(6, 'new 300 IN A 192.0.2.3'))
  renameSync(join(folder.path, 'new'), join(folder.path, 'db'))
  await eventually(async () => (await serialOf(block)) === 6)
  assert.equal((await block.answer('new.example.org')).answer.length, 1)

  folder.write('db', zoneText(7, 'bad 300 IN A 192.0.2'))
  await logs(/error file: example\.org\.: .*db:5.*serial 6 is served on/)
  assert.equal(await serialOf(block), 6)

  folder.write('db', zoneText(6, 'more 300 IN A 192.0.2.3'))
  await logs(/warn file: .*db changed, and its serial is still 6/)
  assert.equal((await block.answer('more.example.org')).rcode, RCODE.NXDOMAIN)

  folder.write('db', zoneText(4))
  await logs(/warn file: .*the serial went back from 6 to 4/)
  assert.equal(await serialOf(block), 4)

  folder.remove('db')
  await logs(/error file: example\.org\.: ENOENT.*serial 4 is served on/)
  assert.equal(await serialOf(block), 4)
  const lines = block.logged.filter((line) => line.includes('ENOENT')).length

  folder.write('db', zoneText(8))
  await eventually(async () => (await serialOf(block)) === 8)
  // Each trouble is told of once, however often it is met.
  assert.equal(lines, 1)
})

test('a file that is not there yet is a zone that fails until it comes', async (t) => {
  const folder = zoneFolder(t)
  const block = await blockOf(t, 'file db {\n reload 20ms\n}', { plugins: [file], folder: folder.path })
  assert.equal(await block.ask('www.example.org'), RCODE.SERVFAIL)
  assert.match(block.logged.join('\n'), /warn file: .*db cannot be read, and is looked for every 0\.02 s/)
  folder.write('db', zoneText(1))
  await eventually(async () => (await serialOf(block)) === 1)
})

test('by its time, a file is taken whatever its serial', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db', zoneText(1))
  const block = await blockOf(t, 'file db {\n reload 20ms\n reload_by_mtime\n}', {
    plugins: [file],
    folder: folder.path,
  })
  folder.write('db', zoneText(1, 'new 300 IN A 192.0.2.3'))
  utimesSync(join(folder.path, 'db'), 1, 1)
  await eventually(async () => (await block.answer('new.example.org')).answer.length === 1)
})

test('a large zone is read by a thread: questions are answered meanwhile', async (t) => {
  const folder = zoneFolder(t)
  const large = (serial: number) =>
    zoneText(
      serial,
      Array.from({ length: 100_000 }, (_, n) => `h${n} 300 IN A 10.0.${(n >> 8) & 255}.${n & 255}`).join(
        '\n',
      ),
    )
  folder.write('db', large(1))
  const block = await blockOf(t, 'file db {\n reload 20ms\n}', { plugins: [file], folder: folder.path })
  assert.equal((await block.answer('h99999.example.org')).answer.length, 1)
  folder.write('db', large(2))
  let longestMs = 0
  let before = performance.now()
  await eventually(
    async () => {
      longestMs = Math.max(longestMs, performance.now() - before)
      const serial = await serialOf(block)
      before = performance.now()
      return serial === 2
    },
    { everyMs: 1 },
  )
  // A thread that waits for a processor is no standstill: this only tells a standstill of the whole load apart.
  assert.ok(longestMs < 400, `nothing was answered for ${longestMs} ms`)
  folder.write('db', `${large(3)}\nbroken 300 IN A 1.2.3\n`)
  await eventually(() => block.logged.some((line) => /db:100006/.test(line)), {
    what: () => block.logged.join('\n'),
  })
  assert.equal(await serialOf(block), 2)
})

test('zones are given whole by transfer, with what it has at that moment', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db', zoneText(1))
  const block = await blockOf(t, 'file db {\n reload 20ms\n}\ntransfer {\n to *\n}', {
    plugins: [transfer, file],
    folder: folder.path,
  })
  const outcome = await block.ask('example.org', 'AXFR', { isTcp: true })
  assert.ok(typeof outcome === 'object' && 'messages' in outcome)
  folder.write('db', zoneText(2))
  await eventually(async () => (await serialOf(block)) === 2)
  const records = []
  for await (const { answer } of outcome.messages) records.push(...answer)
  assert.equal(records.length, 5)
  assert.equal(records[0]!.rdata.readUInt32BE(records[0]!.rdata.length - 20), 1)
  assert.deepEqual(records.at(-1)!.rdata, records[0]!.rdata)
})

test('a zone is made of several files, and each of them is looked at', async (t) => {
  const folder = zoneFolder(t)
  const apex = (serial: number) => zoneText(serial).split('\n').slice(0, 2).join('\n')
  folder.write('db', '$INCLUDE parts/apex\nns1 300 A 192.0.2.1\n')
  mkdirSync(join(folder.path, 'parts'))
  folder.write('parts/apex', `${apex(1)}\n$INCLUDE more\n`)
  folder.write('parts/more', 'more 300 A 192.0.2.7\n')
  const block = await blockOf(t, 'file db {\n reload 20ms\n}', { plugins: [file], folder: folder.path })
  assert.equal((await block.answer('more.example.org')).answer.length, 1)
  folder.write('parts/apex', `${apex(2)}\n$INCLUDE more\n$INCLUDE apex\n`)
  await eventually(() => block.logged.some((line) => /apex:\d+:\d+: .*\$INCLUDE goes deeper/.test(line)), {
    what: () => block.logged.join('\n'),
  })
  folder.write('parts/apex', `${apex(3)}\n`)
  await eventually(async () => (await serialOf(block)) === 3)
  folder.write('parts/apex', `${apex(4)}\n$INCLUDE nowhere\n`)
  await eventually(
    () => block.logged.some((line) => /apex:3:\d+: .*nowhere.*serial 3 is served on/.test(line)),
    {
      what: () => block.logged.join('\n'),
    },
  )
})
