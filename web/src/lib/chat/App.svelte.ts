// The composition root of the page: creates and wires the API, the live socket, the transports and the state.
// Nothing else uses globals. One instance per tab, passed to components through context.
import { getContext, setContext, untrack } from 'svelte';
import { problemText } from '#lib/format/errors.ts';
import { Api, type Problem } from '#lib/wire/api.ts';
import { LogReader, transportMemory, type Transports } from '#lib/wire/logReader.ts';
import { LOG_START } from '#lib/wire/recordIds.ts';
import { LiveSocket, openLiveSocket, type LiveChange } from '#lib/wire/liveSocket.ts';
import { pollReader } from '#lib/wire/poll.ts';
import { sharedSlots } from '#lib/wire/connectionSlots.ts';
import { sseReader } from '#lib/wire/sse.ts';
import { dayOf } from '#lib/format/times.ts';
import { Language } from '#lib/strings/Language.svelte.ts';
import type { SentPart } from '#lib/wire/types.ts';
import type { GenerationSource } from './Answer.svelte.ts';
import { Dictation } from './Dictation.svelte.ts';
import { DraftAttachments } from './DraftAttachments.svelte.ts';
import { attachmentFromPart } from './attachments.ts';
import { Chat } from './Chat.svelte.ts';
import { Conversations } from './Conversations.svelte.ts';
import { messageText } from './messageText.ts';
import { LocalModels } from './LocalModels.svelte.ts';
import type { ModelListing } from './modelGroups.ts';
import { Models } from './Models.svelte.ts';
import { Preferences } from './Preferences.svelte.ts';
import { ReadAloud } from './ReadAloud.svelte.ts';
import { ReadingPlaces } from './ReadingPlaces.ts';
import { RunningAnswers } from './RunningAnswers.svelte.ts';
import { Search } from './Search.svelte.ts';

const MAX_CACHED_CHATS = 6;
const TICK_MS = 500;

/** Something that a shortcut or the command palette can run; some take a value. */
export type Action = (value?: string) => unknown;

export class App {
  readonly api: Api;
  readonly live: LiveSocket;
  readonly conversations: Conversations;
  readonly running: RunningAnswers;
  readonly search: Search;
  readonly models: Models;
  readonly localModels: LocalModels;
  readonly preferences: Preferences;
  readonly places: ReadingPlaces;
  readonly draftAttachments = new DraftAttachments();
  readonly readAloud = new ReadAloud();
  readonly dictation = new Dictation();
  readonly language: Language;
  /** The server answered 401: the login form is shown. */
  needsToken = $state(false);
  /** Since when the server cannot be reached, ms since 1970; 0 while it can. */
  offlineSince = $state(0);
  now = $state(Date.now());
  /** The day: what depends on it is computed again at midnight, not with every tick. */
  readonly today: string = $derived(dayOf(this.now));
  /** The open overlay, at most one. */
  overlay = $state<'palette' | 'shortcuts' | 'options' | null>(null);
  drawerOpen = $state(false);
  inspectedGeneration = $state<string | null>(null);
  current = $state.raw<Chat | null>(null);
  /** A short message that disappears by itself. */
  toast = $state('');
  /** Actions available now, registered by the screens that are open. */
  actions = $state.raw<Record<string, Action>>({});
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- a cache: screens hold the chat they draw
  readonly #chats = new Map<string, Chat>();
  readonly #transports: Transports;
  readonly #source: GenerationSource;
  #tick: ReturnType<typeof setInterval> | undefined;
  #toastTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    storage: Storage = localStorage,
    fetcher: typeof fetch = (input, init) => fetch(input, init),
    connect: () => WebSocket = openLiveSocket,
    tabStorage: Storage = sessionStorage
  ) {
    this.api = new Api(fetcher);
    this.live = new LiveSocket(connect);
    this.conversations = new Conversations(this.api);
    this.running = new RunningAnswers(this.api);
    this.search = new Search(this.api);
    this.models = new Models(this.api);
    this.localModels = new LocalModels(this.api);
    this.preferences = new Preferences(storage);
    this.places = new ReadingPlaces(tabStorage);
    this.language = new Language(this.preferences.language ?? navigator.language);
    this.#transports = {
      readers: {
        sse: sseReader(fetcher, sharedSlots()),
        websocket: this.live.reader(),
        poll: pollReader(fetcher)
      },
      memory: transportMemory(storage)
    };
    this.#source = {
      attach: (generation, handlers) => new LogReader(this.#transports, generation, LOG_START, handlers),
      generation: (id) => this.api.generation(id)
    };
    this.api.onUnauthorized = () => (this.needsToken = true);
    this.live.onChange = (change) => this.#onChange(change);
    this.live.onResync = () => this.#resync();
    this.live.onState = (open) => {
      if (!open) return void this.#onSocketClosed();
      this.offlineSince = 0;
      // The page itself may come from the service worker's cache, before the server can be reached.
      if (!this.conversations.loaded || !this.models.loaded) this.#resync();
    };
  }

  /** Loads what every screen needs and subscribes to changes; returns the cleanup function. */
  start(): () => void {
    const wake = (): void => {
      if (document.visibilityState !== 'visible') return;
      this.live.wake();
      for (const chat of this.#chats.values()) chat.wake();
    };
    const keep = (): void => {
      this.#saveQueuedAsDraft();
      this.readAloud.stop(); // the browser would read on without the page
    };
    window.addEventListener('pagehide', keep);
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('pageshow', wake);
    window.addEventListener('online', wake);
    this.#tick = setInterval(() => (this.now = Date.now()), TICK_MS);
    void this.open();
    return () => {
      window.removeEventListener('pagehide', keep);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('pageshow', wake);
      window.removeEventListener('online', wake);
      clearInterval(this.#tick);
      this.live.stop();
    };
  }

  async open(): Promise<void> {
    const first = await Promise.allSettled([this.conversations.load(), this.models.load()]);
    const refused = first.some((r) => r.status === 'rejected' && (r.reason as Problem).status === 401);
    this.needsToken = refused;
    if (refused) return;
    this.running.refresh();
    this.live.start();
  }

  /** How models are listed in this browser. */
  modelListing(showHidden: boolean): ModelListing {
    const { favoriteModels: favorites, hiddenModels: hidden } = this.preferences;
    return { nameOf: (id) => this.models.nameOf(id), favorites, hidden, showHidden };
  }

  async unlock(token: string): Promise<void> {
    await this.api.login(token);
    this.needsToken = false;
    await this.open();
    await this.current?.load();
  }

  /** Ends this browser's login. The page is loaded afresh, so that nothing of it stays in this tab. */
  async signOut(): Promise<void> {
    await this.api.logout();
    location.replace('/');
  }

  /** The state of a conversation; the most recent ones stay cached with their answers. */
  chat(id: string): Chat {
    let chat = this.#chats.get(id);
    if (!chat) {
      chat = new Chat(id, this.api, this.#source);
      this.#chats.set(id, chat);
      void chat.load();
    }
    this.#evictOldChats(id);
    return chat;
  }

  /** Chooses the versions of a conversation so that a message is on screen once the conversation is. */
  async showMessage(conversation: string, message: string): Promise<void> {
    const chat = this.chat(conversation);
    if (!chat.messages.some((one) => one.id === message)) await chat.load();
    const shown = chat.turns.some((turn) =>
      [turn.question, ...turn.answers].some((one) => one?.id === message)
    );
    if (!shown && chat.messages.some((one) => one.id === message)) await chat.selectVersion(message);
  }

  /** Creates a conversation on the server. */
  async createChat(body: Parameters<Api['create']>[0]): Promise<Chat> {
    const conversation = await this.api.create(body);
    const chat = new Chat(conversation.id, this.api, this.#source);
    chat.apply(conversation);
    this.#chats.set(conversation.id, chat);
    this.conversations.put(conversation);
    return chat;
  }

  /** Deletes a conversation whose first question was refused, as if it had never been created. */
  async discardChat(chat: Chat): Promise<void> {
    await this.api.remove(chat.id);
    chat.close();
    this.#chats.delete(chat.id);
    this.conversations.applyChange({ change: 'conversation-deleted', conversation: chat.id });
  }

  /** Brings a deleted conversation back. */
  async restoreChat(chat: Chat): Promise<void> {
    await this.conversations.restore(chat.id);
    await chat.load();
  }

  /** Moves what was typed and attached in a conversation to the draft of a new one. */
  moveDraftToNewChat(conversation: string): void {
    const texts = [this.preferences.draft('new'), this.preferences.draft(conversation)];
    this.draftAttachments.move(conversation, 'new');
    this.preferences.setDraft('new', texts.filter(Boolean).join('\n\n'));
    this.preferences.setDraft(conversation, '');
  }

  /** Puts a message back into the draft of a conversation, before what is there already. */
  restoreDraft(conversation: string, parts: SentPart[]): void {
    const attachments = parts.filter((part) => part.type !== 'text').map(attachmentFromPart);
    this.draftAttachments.put(conversation, [...attachments, ...this.draftAttachments.of(conversation)]);
    this.preferences.setDraft(conversation, messageText(parts) + this.preferences.draft(conversation));
  }

  /** Registers actions; the returned function removes them again. */
  registerActions(actions: Record<string, Action>): () => void {
    untrack(() => (this.actions = { ...this.actions, ...actions }));
    return () => {
      const rest = Object.entries(untrack(() => this.actions)).filter(([name, act]) => actions[name] !== act);
      this.actions = Object.fromEntries(rest);
    };
  }

  /** Returns false when no open screen has registered the action. */
  runAction(action: string, value?: string): boolean {
    const act = this.actions[action];
    act?.(value);
    return act !== undefined;
  }

  showToast(text: string): void {
    this.toast = text;
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => (this.toast = ''), 4000);
  }

  /** An image of another host, through the server. Rejects with an error whose message is for the reader. */
  readonly loadImage = async (url: string, signal: AbortSignal): Promise<Blob> => {
    try {
      return await this.api.remoteImage(url, signal);
    } catch (problem) {
      throw new Error(problemText(problem), { cause: problem });
    }
  };

  /** Runs a user's action; failures are shown as a toast instead of thrown. Returns whether it succeeded. */
  async attempt(job: () => Promise<unknown>): Promise<boolean> {
    try {
      await job();
      return true;
    } catch (problem) {
      this.showToast(problemText(problem));
      return false;
    }
  }

  #onChange(change: LiveChange): void {
    if (change.change === 'everything') this.#resync();
    this.conversations.applyChange(change);
    if (change.change === 'generation' || change.change === 'conversation-deleted') this.running.refresh();
    if (change.change === 'models') {
      void this.models.load().catch(() => undefined);
      this.localModels.refresh();
    }
    if (change.row && change.conversation) {
      const chat = this.#chats.get(change.conversation);
      if (chat) chat.title = change.row.title;
    }
    // One that was deleted turns out to be missing.
    if (change.conversation) this.#chats.get(change.conversation)?.refresh();
  }

  /** The socket closed: the server is away, or a proxy blocks WebSockets. In the latter case, reloads instead. */
  async #onSocketClosed(): Promise<void> {
    this.offlineSince ||= Date.now();
    if (!(await this.api.isReachable()) || this.live.open) return;
    this.offlineSince = 0;
    this.#resync();
  }

  #resync(): void {
    void this.conversations.load().catch(() => undefined);
    this.running.refresh();
    void this.models.load().catch(() => undefined);
    this.localModels.refresh();
    for (const chat of this.#chats.values()) {
      chat.refresh();
      chat.resend();
    }
  }

  /** Pending messages exist only in this tab: when it closes, their text becomes the draft again. */
  #saveQueuedAsDraft(): void {
    for (const chat of this.#chats.values()) {
      if (chat.pendingMessages.length === 0) continue;
      const texts = [...chat.pendingMessages.map(messageText), this.preferences.draft(chat.id)];
      this.preferences.setDraft(chat.id, texts.filter(Boolean).join('\n\n'));
    }
  }

  #evictOldChats(keep: string): void {
    for (const [id, chat] of this.#chats) {
      if (this.#chats.size <= MAX_CACHED_CHATS) return;
      if (id === keep || chat === this.current || chat.running.length + chat.pendingMessages.length > 0)
        continue;
      chat.close();
      this.#chats.delete(id);
    }
  }
}

const KEY = Symbol('app');

export function provideApp(app: App): App {
  return setContext(KEY, app);
}

export function useApp(): App {
  return getContext<App>(KEY);
}
