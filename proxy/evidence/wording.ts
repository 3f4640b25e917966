// Evidence leaves the house: what it says names neither people nor secrets.

/** Summaries may quote a masked line or an address: what leaves the house names neither people nor secrets. */
export function withoutNames(text: string): string {
  return text
    .replace(/"(X{4,}[A-Z]?)[^"]*"/g, '"$1"')
    .replace(/<[^<>\s]*>/g, '<…>')
    .replace(/[^\s"<>@]+@[^\s"<>@]+/g, '…@…')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
