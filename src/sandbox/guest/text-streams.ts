/** `TextEncoderStream` and `TextDecoderStream` of the Encoding standard. */
import { TextDecoder, type TextDecoderOptions, TextEncoder } from './encoding.ts'
import { toStringTagSymbol } from './primordials.ts'
import { transformStream } from './streams.ts'

export class TextEncoderStream {
  readonly #pair: ReturnType<typeof transformStream>

  constructor() {
    const encoder = new TextEncoder()
    // Half of a surrogate pair that waits for its other half.
    let lead = ''
    this.#pair = transformStream({
      transform(chunk, controller) {
        const text = lead + `${chunk as string}`
        const last = text.charCodeAt(text.length - 1)
        lead = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : ''
        const whole = lead === '' ? text : text.slice(0, -1)
        if (whole !== '') controller.enqueue(encoder.encode(whole))
      },
      flush(controller) {
        if (lead !== '') controller.enqueue(encoder.encode(lead))
      },
    })
  }

  get encoding(): string {
    return 'utf-8'
  }

  get readable(): object {
    return this.#pair.readable
  }

  get writable(): object {
    return this.#pair.writable
  }

  get [toStringTagSymbol](): string {
    return 'TextEncoderStream'
  }
}

export class TextDecoderStream {
  readonly #decoder: TextDecoder
  readonly #pair: ReturnType<typeof transformStream>

  constructor(label?: string, options?: TextDecoderOptions) {
    const decoder = new TextDecoder(label, options)
    this.#decoder = decoder
    this.#pair = transformStream({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true })
        if (text !== '') controller.enqueue(text)
      },
      flush(controller) {
        const text = decoder.decode()
        if (text !== '') controller.enqueue(text)
      },
    })
  }

  get encoding(): string {
    return this.#decoder.encoding
  }

  get fatal(): boolean {
    return this.#decoder.fatal
  }

  get ignoreBOM(): boolean {
    return this.#decoder.ignoreBOM
  }

  get readable(): object {
    return this.#pair.readable
  }

  get writable(): object {
    return this.#pair.writable
  }

  get [toStringTagSymbol](): string {
    return 'TextDecoderStream'
  }
}
