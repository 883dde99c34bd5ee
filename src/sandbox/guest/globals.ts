/**
 * The globals of units: the web's, as far as they exist here, and no more.
 *
 * Taken away is what breaks out of the limits: `WebAssembly` (its memory is not counted), `SharedArrayBuffer` and `Atomics`
 * (`Atomics.wait` stops the thread; a shared counter is a clock to measure others by), and `FinalizationRegistry` (its
 * callbacks would run outside a step, with no deadline), and `gc`, which is there because the sandbox collects garbage
 * itself. V8's own `console` leads nowhere and is replaced.
 */
import { AbortController, AbortSignal } from './abort.ts'
import { atob, btoa } from './base64.ts'
import { Blob, File } from './blob.ts'
import { console } from './console.ts'
import { Crypto } from './crypto/crypto.ts'
import { CryptoKey } from './crypto/crypto-key.ts'
import { DOMException } from './dom-exception.ts'
import { TextDecoder, TextEncoder } from './encoding.ts'
import { Event, EventTarget } from './events.ts'
import { FormData } from './form-data.ts'
import { fetch } from './fetch.ts'
import { Headers } from './headers.ts'
import { defineProperty, now } from './primordials.ts'
import { Request } from './request.ts'
import { Response } from './response.ts'
import { URLSearchParams } from './search-params.ts'
import { defineLazily, lazyGlobals } from './streams.ts'
import { structuredClone } from './structured-clone.ts'
import { TextDecoderStream, TextEncoderStream } from './text-streams.ts'
import { clearTimeout, queueMicrotask, setInterval, setTimeout } from './timers.ts'
import { URL } from './url.ts'

const REMOVED = ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'gc'] as const

export function installGlobals(): void {
  for (const name of REMOVED) delete (globalThis as Record<string, unknown>)[name]
  const startedAt = now()
  const globals: Record<string, unknown> = {
    AbortController,
    AbortSignal,
    Blob,
    CryptoKey,
    DOMException,
    Event,
    EventTarget,
    File,
    FormData,
    Headers,
    Request,
    Response,
    URL,
    TextDecoder,
    TextDecoderStream,
    TextEncoder,
    TextEncoderStream,
    URLSearchParams,
    atob,
    btoa,
    console,
    crypto: new Crypto(),
    fetch,
    setTimeout,
    setInterval,
    clearTimeout,
    clearInterval: clearTimeout,
    queueMicrotask,
    structuredClone,
    self: globalThis,
    performance: { now: () => now() - startedAt, timeOrigin: startedAt },
  }
  for (const name in globals) {
    defineProperty(globalThis, name, {
      value: globals[name],
      writable: true,
      configurable: true,
      enumerable: false,
    })
  }
  lazyGlobals(defineLazily)
}
