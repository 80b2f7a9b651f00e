/* What the client is told when nobody answers: who was not asked, and why; and that a key was
 * refused which is not the client's own. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "switch/switch_call.h"

#define KEY_WAIT_S 1800 /* as long as a key is benched that was not taken */

/* ---- keys ---- */

static void hint_key(const struct gs_config_provider *p, struct gs_error *err)
{
    switch (p->key_source) {
    case GS_KEY_CLIENT:
        break;
    case GS_KEY_NONE:
        gs_error_hint(err, "It wants a key: name one in genset's configuration, providers.%s.key.",
                      p->name);
        break;
    case GS_KEY_ENV:
        gs_error_hint(err, "Set a valid one in %s of genset's environment, and start it anew.",
                      p->key);
        break;
    case GS_KEY_FILE:
    case GS_KEY_COMMAND:
        gs_error_hint(err, "Put a valid one where providers.%s.key finds it.", p->name);
        break;
    }
}

/* A key was refused, or its account cannot pay. The client can do nothing about one of genset's,
 * and must not take it for its own. */
static void say_key(const struct gs_config_provider *p, enum gs_fault fault, struct gs_error *err)
{
    const bool is_own = p->key_source != GS_KEY_CLIENT;

    err->code = is_own || fault != GS_FAULT_AUTH ? GS_EUPSTREAM : GS_EDENIED;
    err->needed = KEY_WAIT_S;
    if (fault == GS_FAULT_AUTH)
        hint_key(p, err);
    else
        gs_error_hint(err, "Top up the account of %s key at \"%s\".",
                      is_own ? "genset's" : "your own", p->name);
}

void gs_switch_excuse_leg(const struct gs_switch_leg *leg, enum gs_fault fault,
                          struct gs_error *err)
{
    const struct gs_config_provider *p = leg->provider;

    if (fault == GS_FAULT_AUTH && p->key_source != GS_KEY_CLIENT)
        gs_error_prefix(err, "%s does not take genset's own key", p->name);
    else
        gs_error_prefix(err, "%s", p->name);
    if (gs_fault_blame(fault) == GS_BLAME_CREDENTIAL)
        say_key(p, fault, err);
}

/* ---- nobody was asked ---- */

static bool keeps_back(const struct gs_switch_call *c)
{
    for (size_t i = 0; i < c->choice.n; i++)
        if (c->choice.targets[i].why == GS_CHOICE_PRIVACY)
            return true;
    return false;
}

/* Everybody is benched: for how long, and what is wrong with the one whose wait ends first. */
static void say_wait(struct gs_switch_call *c)
{
    const struct gs_config_target *t = &c->choice.targets[0].target;
    const struct gs_config_provider *p = &c->generation->routes->providers[t->provider];
    const long long wait_s = c->choice.wait_us / 1000000 + 1;
    char credential[GS_BREAKER_CREDENTIAL];
    struct gs_breaker_who who;

    gs_switch_who_is(c, t, credential, &who);
    const enum gs_fault why = gs_breakers_why(c->sw->breakers, &who, gs_clock_mono_us());
    gs_error_set(&c->err, GS_EBUSY, "nobody can be asked for another %lld s%s%s%s%s", wait_s,
                 why ? "; " : "", why ? p->name : "", why ? ": " : "",
                 why ? gs_fault_meaning(why) : "");
    if (gs_fault_blame(why) == GS_BLAME_CREDENTIAL)
        say_key(p, why, &c->err);
    c->err.needed = wait_s;
}

/* Each is left out for a reason of its own: "there is nobody to ask: router (budget)". */
static void say_nobody(struct gs_switch_call *c)
{
    char text[200] = "";
    size_t len = 0;

    for (size_t i = 0; i < c->choice.n && len < sizeof(text); i++) {
        const struct gs_choice_target *t = &c->choice.targets[i];
        if (t->why == GS_CHOICE_TAKEN)
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s (%s)", len ? ", " : ": ",
                                c->generation->routes->providers[t->target.provider].name,
                                gs_choice_word(t->why));
    }
    gs_error_set(&c->err, GS_EBUSY, "there is nobody to ask%s", text);
}

enum gs_status gs_switch_excuse(struct gs_switch_call *c, struct gs_error *err)
{
    if (c->choice.n_taken == 0 && keeps_back(c)) {
        gs_switch_guard_refuse(&c->guard, &c->err);
        if (c->ask.unread)
            gs_error_hint(&c->err, "This machine cannot read it: %s.", c->ask.unread->msg);
    } else if (c->choice.n_taken == 0 && c->ask.unread) {
        c->err = *c->ask.unread;
    } else if (c->choice.wait_us > 0) {
        say_wait(c);
    } else if (c->err.code == GS_OK) {
        say_nobody(c);
    }
    if (err)
        *err = c->err;
    return c->err.code;
}
