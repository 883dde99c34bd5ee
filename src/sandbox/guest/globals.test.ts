/** Globals of the web that hold on to things or take their time: signals, blobs, forms, streams, patterns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inGuest, sameAsNode } from './beside-node.support.ts'

const NAME = 'const name = (error) => error.name;'

test('signals are aborted once, with a reason', async (t) => {
  await sameAsNode(
    t,
    `${NAME} const log = []; const controller = new AbortController()
     const { signal } = controller
     signal.onabort = (event) => log.push('on ' + event.type + (event.target === signal))
     signal.addEventListener('abort', () => log.push('listener'))
     signal.addEventListener('abort', { handleEvent: () => log.push('object') }, { once: true })
     const removed = () => log.push('never'); signal.addEventListener('abort', removed); signal.removeEventListener('abort', removed)
     log.push(signal.aborted, signal.reason === undefined)
     controller.abort(); controller.abort('again')
     log.push(signal.aborted, signal.reason.name, signal.reason.code, signal.reason instanceof DOMException)
     try { signal.throwIfAborted() } catch (error) { log.push(name(error)) }
     return log.filter((entry) => entry !== 'on aborttrue').concat(log.includes('on aborttrue'))`,
  )
  await sameAsNode(
    t,
    `const a = new AbortController(), b = new AbortController()
     const any = AbortSignal.any([a.signal, b.signal]); const log = []
     any.addEventListener('abort', () => log.push(any.reason)); b.abort('b'); a.abort('a')
     return [log, AbortSignal.abort(1).reason, AbortSignal.any([AbortSignal.abort(2)]).reason, String(any)]`,
  )
  for (const wrong of ['new AbortSignal()', 'AbortSignal.any([1])']) {
    await sameAsNode(
      t,
      `try { ${wrong}; return 'fine' } catch (error) { return error instanceof TypeError || error.name }`,
    )
  }
})

test('a signal with a timeout is aborted when the time is up', async (t) => {
  const found = await inGuest(
    t,
    `const signal = AbortSignal.timeout(5)
     await new Promise((resolve) => signal.addEventListener('abort', resolve))
     return [signal.reason.name, signal.reason.code]`,
  )
  assert.deepEqual(found, ['TimeoutError', 23])
})

test('targets tell their listeners in order', async (t) => {
  await sameAsNode(
    t,
    `const log = []; const target = new EventTarget(); const listener = () => log.push('a')
     target.addEventListener('x', listener); target.addEventListener('x', listener)
     target.addEventListener('x', (event) => { log.push(event.cancelable); event.preventDefault() })
     target.addEventListener('x', () => target.addEventListener('x', () => log.push('late')), { once: true })
     target.addEventListener('x', (event) => event.stopImmediatePropagation()); target.addEventListener('x', () => log.push('stopped'))
     const controller = new AbortController()
     target.addEventListener('y', () => log.push('gone'), { signal: controller.signal }); controller.abort()
     log.push(target.dispatchEvent(new Event('x', { cancelable: true })), target.dispatchEvent(new Event('x')), target.dispatchEvent(new Event('y')))
     class Own extends EventTarget {}; new Own().addEventListener('z', null)
     return log`,
  )
})

test('blobs and files hold bytes', async (t) => {
  await sameAsNode(
    t,
    `const blob = new Blob(['é', new Uint8Array([65, 66, 67]), new Blob(['x']), new DataView(new ArrayBuffer(2), 1)], { type: 'Text/Plain' })
     const piece = blob.slice(1, -2, 'A/B')
     return [blob.size, blob.type, await blob.text(), [...await piece.bytes()], piece.type, blob.slice(-3).size, blob.slice(5, 2).size,
       new Uint8Array(await blob.arrayBuffer()).length, await new Response(blob.stream()).text(), new Blob(['a'], { type: 'é' }).type]`,
  )
  await sameAsNode(
    t,
    `const file = new File(['abc'], 'ä.txt', { type: 'text/css', lastModified: 5 })
     return [file.name, file.size, file.type, file.lastModified, file instanceof Blob, String(file), new Response(file).headers.get('content-type')]`,
  )
  for (const wrong of ['new Blob("x")', 'new Blob(5)', 'new Blob({})'])
    await sameAsNode(t, `try { ${wrong}; return 'fine' } catch (error) { return error.name }`)
})

test('forms are lists of names with texts or files', async (t) => {
  await sameAsNode(
    t,
    `const form = new FormData(); form.append('a', 1); form.append('b', 'x'); form.append('a', new Blob(['file']))
     form.append('f', new File(['f'], 'f.txt'), 'other.txt'); form.set('b', 'y'); form.append('c', 'z'); form.delete('c')
     const shown = (value) => typeof value === 'string' ? value : value.name + '/' + value.size
     const log = [form.get('a'), form.getAll('a').map(shown), form.has('c'), form.get('none'), shown(form.get('f')), [...form.keys()], [...form.values()].map(shown)]
     form.set('a', 'only'); form.append('z', 'last')
     for (const [key, value] of form) log.push(key + '=' + shown(value))
     form.forEach((value, key, all) => log.push(key, all === form))
     return log`,
  )
  await sameAsNode(
    t,
    `try { new FormData().append('a', 'text', 'name'); return 'fine' } catch (error) { return error.name }`,
  )
})

test('a form goes into a body, and comes out of it as it was', async (t) => {
  await sameAsNode(
    t,
    `const form = new FormData(); form.append('te"xt\\n', 'a\\nb\\rc\\r\\nd → é'); form.append('empty', '')
     form.append('file', new File([new Uint8Array([0, 13, 10, 255, 45, 45])], 'n"a\\r.bin', { type: 'a/b' })); form.append('blob', new Blob([]))
     const response = new Response(form); const type = response.headers.get('content-type')
     const read = await response.formData(); const log = [type.startsWith('multipart/form-data; boundary=')]
     for (const [key, value] of read) log.push(key, typeof value === 'string' ? value : [value.name, value.type, [...await value.bytes()]])
     return log`,
  )
  const given = JSON.stringify(
    '--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name="b"; filename="c"\r\nX: y\r\n\r\n\r\n--x--\r\n',
  )
  await sameAsNode(
    t,
    `const read = await new Response(${given}, { headers: { 'content-type': 'multipart/form-data; boundary="x"' } }).formData()
     return [read.get('a'), read.get('b').name, read.get('b').type, read.get('b').size]`,
  )
  await sameAsNode(
    t,
    `const read = await new Response('a=1&b=%C3%A9+x&a=2&c', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }).formData()
     return [...read]`,
  )
})

test('what is no form is refused, and said', async (t) => {
  const cases: readonly (readonly [body: string, type: string, says: RegExp])[] = [
    ['x', 'text/plain', /text\/plain/],
    ['x', 'multipart/form-data', /boundary/],
    ['x', 'multipart/form-data; boundary=b', /boundary does not occur/],
    [
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end',
      'multipart/form-data; boundary=b',
      /does not end/,
    ],
    ['--b\r\nX: y\r\n\r\n1\r\n--b--', 'multipart/form-data; boundary=b', /no Content-Disposition/],
    ['--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--', 'multipart/form-data; boundary=b', /no name/],
  ]
  for (const [body, type, says] of cases) {
    const found = await inGuest(
      t,
      `try { await new Response(${JSON.stringify(body)}, { headers: { 'content-type': '${type}' } }).formData(); return 'fine' }
       catch (error) { return error.name + ': ' + error.message }`,
    )
    assert.match(String(found), /^TypeError/)
    assert.match(String(found), says)
  }
})

test('bodies are streams, read once', async (t) => {
  await sameAsNode(
    t,
    `const response = new Response('é→'); const log = [response.bodyUsed, response.body === response.body, String(response.body), response.body.locked]
     const reader = response.body.getReader(); log.push(response.body.locked, response.bodyUsed)
     const { value, done } = await reader.read(); log.push([...value], done, response.bodyUsed, (await reader.read()).done)
     await response.text().catch((error) => log.push(error.name)); return log`,
  )
  await sameAsNode(
    t,
    `const first = new Response('taken over'); const second = new Response(first.body, { status: 201 })
     return [await second.text(), second.status, second.headers.get('content-type')]`,
  )
  await sameAsNode(
    t,
    `const response = new Response('x'); response.body; const text = await response.text()
     return [text, response.bodyUsed, await new Response('y').body.getReader().cancel(), new Response(null).body]`,
  )
})

test('a stream of the unit is a body', async (t) => {
  const stream = `const source = () => new ReadableStream({ start(c) { c.enqueue(new Uint8Array([123])); setTimeout(() => { c.enqueue(new TextEncoder().encode('"a":1}')); c.close() }, 1) } })`
  await sameAsNode(
    t,
    `${stream}; const response = new Response(source()); const copy = response.clone()
     return [response.headers.get('content-type'), await response.text(), await copy.json(), response.bodyUsed,
       await new Request('http://h/', { method: 'POST', body: source(), duplex: 'half' }).text(), (await new Response(source()).blob()).size]`,
  )
  await sameAsNode(
    t,
    `const failing = new ReadableStream({ pull() { throw new RangeError('no') } })
     const text = new ReadableStream({ start(c) { c.enqueue('text'); c.close() } })
     return [await new Response(failing).text().catch((e) => e.name), await new Response(text).text().catch((e) => e.name)]`,
  )
})

test('streams are piped and transformed', async (t) => {
  await sameAsNode(
    t,
    `const upper = new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk.toUpperCase()) } })
     const body = new Response('stra\\u00dfe → x').body.pipeThrough(new TextDecoderStream()).pipeThrough(upper).pipeThrough(new TextEncoderStream())
     const collected = []; const sink = new WritableStream({ write(chunk) { collected.push(chunk) }, close() { collected.push('end') } })
     await new ReadableStream({ start(c) { c.enqueue(1); c.enqueue(2); c.close() } }).pipeTo(sink)
     const list = []; for await (const one of new ReadableStream({ start(c) { c.enqueue('a'); c.close() } })) list.push(one)
     const [a, b] = new Response('tee').body.tee()
     return [await new Response(body).text(), collected, list, await new Response(a).text(), await new Response(b).text()]`,
  )
  await sameAsNode(
    t,
    `const emoji = '😀'; const pair = new TextEncoderStream(); const writer = pair.writable.getWriter()
     writer.write(emoji[0]); writer.write(emoji[1] + 'x'); writer.write(emoji[0]); writer.close()
     return [await new Response(pair.readable).text(), pair.encoding, new TextDecoderStream('utf-8', { fatal: true }).fatal]`,
  )
})

test('patterns match URLs', async (t) => {
  const found = await inGuest(
    t,
    `const pattern = new URLPattern({ pathname: '/videos/:id(\\\\d+)/:rest*' })
     return [pattern.test('https://h/videos/12/a/b'), pattern.test('https://h/videos/x'), pattern.exec('https://h/videos/12/a/b').pathname.groups,
       new URLPattern('https://*.example.org/*').test('https://tv.example.org/x')]`,
  )
  assert.deepEqual(found, [true, false, { id: '12', rest: 'a/b' }, true])
})

test('requests carry a signal that follows the one given', async (t) => {
  await sameAsNode(
    t,
    `const controller = new AbortController(); const request = new Request('http://h/', { signal: controller.signal })
     const copy = new Request(request); const clone = request.clone(); controller.abort('why')
     return [request.signal === controller.signal, request.signal.aborted, copy.signal.reason, clone.signal.aborted, new Request('http://h/').signal.aborted]`,
  )
})

test('the libraries run when a unit first asks for them, and their globals can be replaced', async (t) => {
  const found = await inGuest(
    t,
    `const lazy = typeof Object.getOwnPropertyDescriptor(globalThis, 'ReadableStream').get
     const kind = typeof ReadableStream; const after = typeof Object.getOwnPropertyDescriptor(globalThis, 'ReadableStream').get
     globalThis.URLPattern = 5; return [lazy, kind, after, URLPattern]`,
  )
  assert.deepEqual(found, ['function', 'function', 'undefined', 5])
})
