import assert from 'node:assert/strict'
import { test } from 'node:test'
import { languageOf } from './language.ts'

/** As they stand in the project that laid units out so, and in pages about OpenResty. */
const LUA = [
  `ngx.say('Hello,world!')`,
  `local token = ngx.var.arg_token or ngx.var.cookie_superstition
if token ~= 'token' then
  return ngx.exit(ngx.HTTP_FORBIDDEN)
else
  ngx.header['Set-Cookie'] = {'superstition=token'}
end`,
  `local token = ngx.var.arg_token or ngx.var.cookie_superstition \n if token ~= 'token' then \n return ngx.exit(ngx.HTTP_FORBIDDEN) \n else \n ngx.header['Set-Cookie'] = {'superstition=token'} \n end`,
  `return ngx.exit(403)`,
  `redis_client:incr("hits")`,
  `local r = redis_client:incr("hits")\nngx.header["X-Hits"] = r`,
  `edge_computing.redis_client:incr(ngx.var.uri)`,
  `-- let the new ones in\nif a == nil then return end`,
  `-- count\nredis_client:incr('a')`,
  `local a = "x" .. 'y'`,
  `for i = 1, 10 do total = total + i end`,
  `function f(x) return x end`,
  `--[[ const x = 1 ]]\nlocal x = 1`,
  `if x then y() elseif z then w() end`,
  `local s = [[ text ]]`,
  `while true do break end`,
  `ngx.ctx.start = ngx.now()`,
]

for (const code of LUA) {
  test(`it is Lua: ${JSON.stringify(code.slice(0, 60))}`, () => {
    assert.equal(languageOf(code).kind, 'lua')
  })
}

const CHUNKS: readonly (readonly [code: string, awaits: boolean])[] = [
  [`return new Response('no', { status: 403 })`, false],
  [`const hits = await redis_client.incr('hits')\nresponse.headers.set('x-hits', String(hits))`, true],
  [`if (request.query.get('token') !== 'token') return new Response('no', { status: 403 })`, false],
  [`// if it ends then local nil .. end\nresponse.status = 404`, false],
  [`const text = "local x = ngx.var.y .. 'end'"`, false],
  [`const ngx = { say: console.log }\nngx.say('x')`, false],
  [`const f = (...rest) => rest; f(1)`, false],
  [`i--\n--i`, false],
  [
    `switch (request.method) { case 'GET': go(); default:stop() }\nfunction go() {}\nfunction stop() {}`,
    false,
  ],
  [`const o = { a:f(1), b:f(2) }; function f(x) { return x }`, false],
  [`const x = a ? b:c(1)`, false],
  ['const r = `${request.path}..`', false],
  [`edge.log('end'); return`, false],
  [`'use strict'`, false],
]

for (const [code, awaits] of CHUNKS) {
  test(`it is a chunk: ${JSON.stringify(code.slice(0, 60))}`, () => {
    assert.deepEqual(languageOf(code), { kind: 'chunk', awaits })
  })
}

test('what exports is a module', () => {
  assert.equal(languageOf(`export default { access() {} }`).kind, 'module')
  assert.equal(languageOf(`const unit = {}\nexport { unit as default }`).kind, 'module')
  assert.equal(languageOf(`const text = 'export default'`).kind, 'chunk')
})

const BROKEN: readonly (readonly [code: string, problem: RegExp])[] = [
  [`if (x) {`, /Unexpected (?:token|end)|missing/],
  [`const a = 1\nconst b = = 2\n`, /\(line 2\)$/],
  [`const then = await x then y`, /./],
  // It would close the function around it.
  [`}}}; evil(); ({ a() { {`, /Unexpected token/],
  [`} { `, /./],
  [`with (a) {}`, /strict/i],
  [`const x: number = 1`, /./],
  [`<?php echo 1; ?>`, /./],
  ['🤷', /./],
]

for (const [code, problem] of BROKEN) {
  test(`it is broken: ${JSON.stringify(code)}`, () => {
    const language = languageOf(code)
    assert.equal(language.kind, 'broken')
    assert.match(language.kind === 'broken' ? language.problem : '', problem)
  })
}

test('nothing of it is run', () => {
  const before = Object.keys(globalThis).length
  languageOf(`globalThis.wasRun = true; throw new Error('run')`)
  assert.equal(Object.keys(globalThis).length, before)
})

test('deep nesting is broken, and ends nothing', () => {
  assert.equal(languageOf('('.repeat(500_000)).kind, 'broken')
  assert.equal(languageOf('['.repeat(900_000)).kind, 'broken')
})

const AWAITING = [
  "return new Response(`${await redis_client.get('k')}`)",
  'const f = await (go())',
  'const f = await [go()]',
  'await `${go()}`',
  'const f = await -go()',
  'const f = await /x/.exec(go())',
  'await\n  go()',
  'await // until it is there\n  go()',
  'await /* so */ (go())',
  'return `${await (go())}`',
  'for await (const x of go()) use(x)',
  'const deep = `a${`b${await go()}`}`',
]

for (const code of AWAITING) {
  test(`it awaits: ${JSON.stringify(code)}`, () => {
    assert.deepEqual(languageOf(code), { kind: 'chunk', awaits: true })
  })
}

test('what only a function within awaits does not', () => {
  assert.deepEqual(languageOf('const later = async () => { await go() }\nedge.waitUntil(later())'), {
    kind: 'chunk',
    awaits: false,
  })
  assert.deepEqual(languageOf(`const text = 'await ('`), { kind: 'chunk', awaits: false })
})

/** Each was read in time that grows with the square of its length: minutes for what one value may hold. */
const LONG = ['/*x', '--[[\n', '"\\', "'\\", '`\\', '\\"', '\\`', '`"\\', '*/ /*', '[[', '; ', 'a:', '`${']

for (const piece of LONG) {
  test(`a megabyte of ${JSON.stringify(piece)} is read at once`, () => {
    const startedMs = performance.now()
    languageOf(piece.repeat(2 ** 20 / piece.length))
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs < 5000, `${tookMs} ms`)
  })
}
