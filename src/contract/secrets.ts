/** Secrets that lie sealed in values of the log. */
export interface SecretBox {
  /** `context` names what the secret is of: text sealed for one context does not open in another. */
  seal(text: string, context: string): string
  /** Throws `secret-unreadable` where the key or the context is another. */
  open(sealed: string, context: string): string
}

/** A kind of values that hold secrets: whoever changes the key of secrets seals them anew. */
export interface SealedKind {
  /** Of the keys in the log. */
  readonly prefix: string
  readonly what: 'version' | 'certificate'
  /** The value with each secret as `change` gives it; undefined where it holds none. */
  reseal(key: string, value: string, change: ChangeSealed): string | undefined
}

export type ChangeSealed = (sealed: string, context: string) => string
