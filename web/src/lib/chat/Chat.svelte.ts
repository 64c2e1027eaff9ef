// The state of one conversation on screen: its message tree, its answers, and what is being sent or queued.
// Talks to the server through the given API; components read it and call its methods.
import type { Api, Problem } from '#lib/wire/api.ts';
import type {
  Conversation,
  ConversationBody,
  Generation,
  Message,
  Options,
  SentPart,
  StartBody
} from '#lib/wire/types.ts';
import { Answer, type GenerationSource } from './Answer.svelte.ts';
import { newIdempotencyKey, sendWithRetry } from './retrySend.ts';
import { newestLeaf, buildTurns, type Turn } from './messageTree.ts';

/** A send in flight, or one that failed. It keeps its idempotency key, so a retry can't send twice. */
export interface Outgoing {
  body: StartBody;
  key: string;
  problem: Problem | null;
  /** The answer to continue; null for a new question or a regeneration. */
  continues: Answer | null;
}

export class Chat {
  readonly id: string;
  title = $state('');
  systemPrompt = $state('');
  options = $state.raw<Options>({});
  /** The models that answer next: one, or several side by side. Empty means the server's default. */
  models = $state.raw<string[]>([]);
  messages = $state.raw<Message[]>([]);
  leaf = $state<string | null>(null);
  loaded = $state(false);
  /** It doesn't exist, or no longer: `loaded` then says that it did. */
  missing = $state(false);
  problem = $state.raw<Problem | null>(null);
  sending = $state(false);
  outgoing = $state.raw<Outgoing | null>(null);
  /** Failed questions that were followed by another send. */
  unsent = $state.raw<Outgoing[]>([]);
  /** Messages that are sent in order, each when the running answer ends. */
  queued = $state.raw<SentPart[][]>([]);
  /** Incremented whenever answers are added or end: the map itself isn't reactive. */
  #version = $state(0);
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- #version stands for it
  readonly #answers = new Map<string, Answer>();
  readonly #api: Api;
  readonly #source: GenerationSource;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  /** Requests for the conversation are numbered, so that no reply replaces a later one. */
  #requests = 0;
  #latest = 0;
  /** Reads are numbered for their problems, too; the number of the latest that has ended. */
  #reads = 0;
  #settled = 0;
  /** Changes of this tab under way, and whether a reload waits for their end. */
  #changes = 0;
  #stale = false;

  readonly turns: Turn[] = $derived(buildTurns(this.messages, this.leaf));
  readonly running: Answer[] = $derived.by(() => {
    void this.#version;
    return this.turns
      .flatMap((turn) => turn.answers.map((message) => this.#answers.get(message.id)))
      .filter((answer) => answer !== undefined && answer.running) as Answer[];
  });

  /** Answers that are being written in versions that aren't on screen. */
  readonly hidden: Answer[] = $derived.by(() => {
    void this.#version;
    const shown = this.running;
    return [...this.#answers.values()].filter((answer) => answer.running && !shown.includes(answer));
  });

  constructor(id: string, api: Api, source: GenerationSource) {
    this.id = id;
    this.#api = api;
    this.#source = source;
  }

  answer(message: string): Answer | undefined {
    void this.#version;
    return this.#answers.get(message);
  }

  /** The last answer on screen, for the shortcuts that act on it. */
  get lastAnswer(): Answer | undefined {
    const message = this.turns.at(-1)?.answers[0];
    return message ? this.answer(message.id) : undefined;
  }

  load(): Promise<void> {
    return this.#settle(this.#read());
  }

  /** Reloads after a change in another tab or on another device; debounced, and not before own changes are through. */
  refresh(): void {
    clearTimeout(this.#refreshing);
    this.#refreshing = setTimeout(() => {
      if (this.#changes > 0) this.#stale = true;
      else void this.load();
    }, 120);
  }

  /** Takes over the server's version. Subscriptions to running answers stay open. */
  apply(conversation: Conversation): void {
    this.title = conversation.title;
    this.systemPrompt = conversation.system_prompt;
    this.options = conversation.options;
    if (this.models.length < 2) this.models = conversation.model ? [conversation.model] : this.models;
    this.messages = conversation.messages;
    this.leaf = conversation.leaf ?? conversation.messages.at(-1)?.id ?? null;
    for (const message of conversation.messages) this.#syncAnswer(message);
    this.#version++;
    this.loaded = true;
  }

  /** Sends a question, or queues it until the running answer ends. */
  async send(parts: SentPart[]): Promise<void> {
    if (this.running.length > 0 || this.sending) {
      this.queued = [...this.queued, parts];
      return;
    }
    await this.#start({ parts, ...this.#requestOptions() });
  }

  /** Answers a question again, with another model if given. */
  async regenerate(question: string, model?: string): Promise<void> {
    await this.#start({ parent: question, ...this.#requestOptions(model ? [model] : this.models) });
  }

  /** A new version of a question, beside the old one. */
  async edit(question: Message, parts: SentPart[]): Promise<void> {
    await this.#start({ parent: question.parent, parts, ...this.#requestOptions() });
  }

  async continue(answer: Answer, model?: string, key: string = newIdempotencyKey()): Promise<void> {
    if (!answer.generation || this.sending) return;
    const { generation } = answer;
    await this.#track({ body: {}, key, problem: null, continues: answer }, async () => {
      this.#startReading(await this.#api.continue(generation, model ? { model } : {}, key));
    });
  }

  /** Retries a failed send under its old key; with another model it is a new send. */
  async retry(outgoing: Outgoing, model?: string): Promise<void> {
    if (this.sending || this.running.length > 0) return;
    this.drop(outgoing);
    if (outgoing.continues)
      await this.continue(outgoing.continues, model, model ? newIdempotencyKey() : outgoing.key);
    else if (model) await this.#start({ ...outgoing.body, models: [model] });
    else await this.#start(outgoing.body, outgoing.key);
  }

  /** After a reconnect: retries a send that failed only because of the network, under its old key. */
  resend(): void {
    const held = [...this.unsent, this.outgoing].find((one) => one?.problem?.code === 'offline');
    if (held) void this.retry(held);
  }

  /** Discards a failed send. */
  drop(outgoing: Outgoing): void {
    if (this.outgoing === outgoing) this.outgoing = null;
    this.unsent = this.unsent.filter((other) => other !== outgoing);
  }

  /** Messages not yet sent, oldest first: they exist only in this tab. */
  get pendingMessages(): SentPart[][] {
    const failed = [...this.unsent, this.outgoing].map((one) => (one?.problem && one.body.parts) || []);
    return [...failed.filter((parts) => parts.length > 0), ...this.queued];
  }

  /** Stops what is on screen; if nothing runs there, what runs in versions that aren't. */
  async stop(answer?: Answer): Promise<void> {
    const shown = answer ? [answer] : this.running;
    const running = shown.length > 0 ? shown : this.hidden;
    await Promise.all(running.map((one) => one.generation && this.#api.stop(one.generation)));
  }

  /** Changes options of a running answer from its next token on. Returns the problem if the server refuses. */
  async changeOptions(answer: Answer, change: Options & { model?: string }): Promise<Problem | null> {
    if (!answer.generation) return null;
    try {
      await this.#api.changeOptions(answer.generation, change);
      answer.options = { ...answer.options, ...change };
      return null;
    } catch (problem) {
      return problem as Problem;
    }
  }

  /** Shows another version of a question or an answer, down to its newest leaf. */
  async selectVersion(message: string): Promise<void> {
    const leaf = newestLeaf(this.messages, message);
    this.leaf = leaf;
    await this.#changing(() => this.#api.change(this.id, { leaf }));
  }

  async change(body: ConversationBody): Promise<void> {
    await this.#changing(() => this.#show(() => this.#api.change(this.id, body)));
  }

  /** Removes a message from the queue. */
  unqueue(parts: SentPart[]): void {
    this.queued = this.queued.filter((other) => other !== parts);
  }

  wake(): void {
    for (const answer of this.#answers.values()) answer.wake();
  }

  close(): void {
    clearTimeout(this.#refreshing);
    for (const answer of this.#answers.values()) answer.detach();
  }

  #requestOptions(models = this.models): Pick<StartBody, 'model' | 'models' | 'options'> {
    const [model] = models;
    const options = Object.keys(this.options).length > 0 ? { options: this.options } : {};
    if (models.length > 1) return { models, ...options };
    return model ? { model, ...options } : options;
  }

  async #start(body: StartBody, key: string = newIdempotencyKey()): Promise<void> {
    await this.#track({ body, key, problem: null, continues: null }, async () => {
      const begun = await this.#api.start(this.id, body, key);
      const generations = 'generations' in begun ? begun.generations : [begun];
      for (const generation of generations) this.#startReading(generation);
    });
  }

  async #track(outgoing: Outgoing, send: (key: string) => Promise<void>): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    const { outgoing: before } = this;
    if (before?.problem && before.body.parts) this.unsent = [...this.unsent, before];
    this.outgoing = outgoing;
    try {
      await this.#changing(async () => {
        await sendWithRetry(send, outgoing.key);
        // Until this has been read, the question is nowhere but in `outgoing`.
        await this.#settle(sendWithRetry(() => this.#read(), outgoing.key));
      });
      this.outgoing = null;
    } catch (problem) {
      this.outgoing = { ...outgoing, problem: problem as Problem };
    } finally {
      this.sending = false;
    }
    // A short answer may have ended before all this was read.
    if (!this.outgoing && !this.problem) this.#sendQueued();
  }

  /** Runs a change of this tab. What was requested before it doesn't hold it, and would take it off the screen. */
  async #changing(job: () => Promise<void> | Promise<Conversation>): Promise<void> {
    this.#latest = ++this.#requests;
    this.#changes++;
    try {
      await job();
    } finally {
      this.#changes--;
      if (this.#changes === 0 && this.#stale) {
        this.#stale = false;
        this.refresh();
      }
    }
  }

  #read(): Promise<void> {
    return this.#show(() => this.#api.conversation(this.id));
  }

  /** Shows the reply, unless something later is on screen already. */
  async #show(request: () => Promise<Conversation>): Promise<void> {
    const number = ++this.#requests;
    const conversation = await request();
    if (number < this.#latest) return this.refresh();
    this.#latest = number;
    this.apply(conversation);
  }

  /** Keeps the problem of a failed read, unless a later one has ended already; never throws. */
  async #settle(read: Promise<void>): Promise<void> {
    const number = ++this.#reads;
    const problem = await read.then(
      () => null,
      (reason: unknown) => reason as Problem
    );
    if (number < this.#settled) return;
    this.#settled = number;
    this.missing = problem?.status === 404;
    this.problem = problem;
  }

  /** Starts reading at once, before the message tree has been fetched again. */
  #startReading(generation: Generation): void {
    this.#syncAnswer({
      id: generation.message,
      parent: generation.parent,
      role: 'assistant',
      parts: generation.parts ?? [],
      created_at: generation.created_at,
      model: generation.model,
      generation: generation.id,
      status: generation.status,
      end: generation.end,
      seams: generation.seams,
      citations: generation.citations
    });
    this.#version++;
  }

  #syncAnswer(message: Message): void {
    if (message.role !== 'assistant') return;
    const known = this.#answers.get(message.id);
    if (known) known.sync(message);
    else this.#answers.set(message.id, new Answer(this.#source, message, () => this.#onAnswerEnd()));
  }

  #onAnswerEnd(): void {
    this.#version++;
    if (this.running.length > 0) return;
    this.resend();
    this.#sendQueued();
  }

  #sendQueued(): void {
    const [next, ...rest] = this.queued;
    if (!next || this.sending || this.running.length > 0) return;
    this.queued = rest;
    void this.send(next);
  }
}
