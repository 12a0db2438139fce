/*
 * creds_profile.c - a profile of ~/.aws/credentials ([name]) and ~/.aws/config
 * ([profile name]); where both have a setting, the first file's counts.
 *
 * A profile has keys of its own, or a role: assumed with another profile's keys
 * (source_profile), with the environment's, the container's or the instance's
 * (credential_source), or with a web identity token. credential_process and SSO are not
 * built: the text says so.
 */
#include "base/mem.h"
#include "store/creds_in.h"

#include <stdio.h>

enum { DEPTH_MAX = 5, PATH_SIZE = 4096, ARN_MAX = 2048 };

typedef struct profile {
    bool found, process, sso;
    char id[PST_CREDS_KEY_MAX], secret[PST_CREDS_KEY_MAX], token[PST_CREDS_TOKEN_MAX];
    char role_arn[ARN_MAX], external_id[1300], session_name[128], duration[16];
    char source_profile[256], credential_source[64], token_file[PATH_SIZE];
} profile;

/* ---- the files ---- */

static const struct {
    const char *name;
    size_t at, size;
} fields[] = {
#define FIELD(name, member)                                                              \
    {                                                                                    \
        name, offsetof(profile, member), sizeof(((profile *)NULL)->member)               \
    }
    FIELD("aws_access_key_id", id),
    FIELD("aws_secret_access_key", secret),
    FIELD("aws_session_token", token),
    FIELD("role_arn", role_arn),
    FIELD("external_id", external_id),
    FIELD("role_session_name", session_name),
    FIELD("duration_seconds", duration),
    FIELD("source_profile", source_profile),
    FIELD("credential_source", credential_source),
    FIELD("web_identity_token_file", token_file),
#undef FIELD
};

/* A value that is too long is none. */
static void take_line(pst_sv line, profile *out)
{
    pst_sv value;
    pst_sv name = pst_sv_trim(pst_sv_cut(line, '=', &value));
    value = pst_sv_trim(value);
    if (!value.p)
        return;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char *to = (char *)out + fields[i].at;
        if (!pst_sv_eq_nocase(name, pst_sv_of(fields[i].name)))
            continue;
        size_t n = value.n < fields[i].size ? value.n : 0;
        memcpy(to, value.p, n);
        to[n] = '\0';
    }
    out->process = out->process || pst_sv_eq_nocase(name, PST_SV("credential_process"));
    out->sso = out->sso || pst_sv_eq_nocase(name, PST_SV("sso_session")) ||
               pst_sv_eq_nocase(name, PST_SV("sso_start_url"));
}

/* "[name]", or in the config file "[profile name]" and "[default]". */
static bool is_mine(pst_sv title, const char *name, bool config)
{
    title = pst_sv_trim(title);
    if (!config || (pst_sv_is(title, "default") && strcmp(name, "default") == 0))
        return pst_sv_is(title, name);
    pst_sv rest;
    pst_sv word = pst_sv_cut(title, ' ', &rest);
    if (!rest.p)
        word = pst_sv_cut(title, '\t', &rest);
    return pst_sv_is(word, "profile") && rest.p && pst_sv_is(pst_sv_trim(rest), name);
}

static void parse_profile(pst_sv text, const char *name, bool config, profile *out)
{
    bool mine = false;
    while (text.p) {
        pst_sv raw = pst_sv_cut(text, '\n', &text);
        pst_sv line = pst_sv_trim(raw);
        if (!line.n || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[' && pst_sv_ends(line, PST_SV("]"))) {
            mine = is_mine((pst_sv){line.p + 1, line.n - 2}, name, config);
            out->found = out->found || mine;
        } else if (mine && line.p == raw.p) { /* indented: of another setting */
            take_line(line, out);
        }
    }
}

static bool path_of(const pst_creds_ctx *ctx, bool config, char out[PATH_SIZE])
{
    const char *named =
        ctx->vars[config ? PST_AWS_CONFIG_FILE : PST_AWS_SHARED_CREDENTIALS_FILE];
    const char *home = ctx->vars[PST_HOME];
    int n = named  ? snprintf(out, PATH_SIZE, "%s", named)
            : home ? snprintf(out, PATH_SIZE, "%s/.aws/%s", home,
                              config ? "config" : "credentials")
                   : -1;
    return n >= 0 && n < PATH_SIZE;
}

static pst_rc load_file(pst_creds_ctx *ctx, const char *name, bool config, profile *out,
                        pst_err *err)
{
    char path[PATH_SIZE];
    if (!path_of(ctx, config, path))
        return PST_OK;
    pst_buf text;
    pst_buf_init(&text, PST_CREDS_FILE_MAX + 1);
    pst_rc rc = pst_creds_read_file(path, &text, err);
    if (rc == PST_OK)
        parse_profile((pst_sv){text.data, text.len}, name, config, out);
    pst_creds_wipe_buf(&text);
    return rc == PST_E_NOT_FOUND ? PST_OK : rc;
}

/* ---- what it says ---- */

static pst_rc keys_of(pst_creds_ctx *ctx, const char *name, int depth,
                      pst_creds_keys *out, pst_err *err);

static pst_rc base_of(pst_creds_ctx *ctx, const char *name, const profile *p, int depth,
                      pst_creds_keys *out, pst_err *err)
{
    static const struct {
        const char *name;
        pst_creds_source ask;
    } sources[] = {{"Environment", pst_creds_from_environment},
                   {"EcsContainer", pst_creds_from_container},
                   {"Ec2InstanceMetadata", pst_creds_from_instance}};
    if (p->source_profile[0] && strcmp(p->source_profile, name) == 0)
        return pst_creds_fill(out, p->id, p->secret, p->token, "its own keys", err);
    if (p->source_profile[0])
        return keys_of(ctx, p->source_profile, depth + 1, out, err);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strcmp(p->credential_source, sources[i].name) == 0)
            return sources[i].ask(ctx, out, err);
    return pst_fail_retriable(err, PST_E_AUTH,
                              "profile %.100s: role_arn needs source_profile, "
                              "web_identity_token_file, or credential_source="
                              "Environment, EcsContainer or Ec2InstanceMetadata",
                              name);
}

static pst_rc assume(pst_creds_ctx *ctx, const char *name, const profile *p, int depth,
                     pst_creds_keys *out, pst_err *err)
{
    int64_t duration = 0;
    (void)pst_sv_to_i64(pst_sv_of(p->duration), &duration);
    pst_sts_role role = {.arn = p->role_arn,
                         .external_id = p->external_id,
                         .session_name = p->session_name,
                         .duration_s =
                             duration > 0 && duration <= 43200 ? (int)duration : 0,
                         .token_file = p->token_file[0] ? p->token_file : NULL};
    if (role.token_file)
        return pst_creds_assume(ctx, &role, NULL, out, err);
    pst_creds_keys base = {0};
    pst_rc rc = base_of(ctx, name, p, depth, &base, err);
    if (rc == PST_E_NOT_FOUND)
        rc = pst_fail_retriable(err, PST_E_AUTH,
                                "profile %.100s: there are no keys to assume its role "
                                "with%s",
                                name, ctx->note);
    if (rc == PST_OK)
        rc = pst_creds_assume(ctx, &role, &base, out, err);
    pst_creds_wipe(&base);
    return rc;
}

static void note_missing(pst_creds_ctx *ctx, const char *name, const profile *p)
{
    const char *home = ctx->vars[PST_HOME] ? "~/.aws" : "no HOME";
    const char *file = ctx->vars[PST_AWS_SHARED_CREDENTIALS_FILE];
    if (p->found && (p->process || p->sso))
        pst_creds_note(ctx,
                       "profile %.80s has %s, which is not supported: export the keys",
                       name, p->process ? "credential_process" : "SSO");
    else
        pst_creds_note(ctx, "%s profile %.80s in %.100s%s",
                       p->found ? "there are no keys in" : "there is no", name,
                       file ? file : home, file ? "" : "/credentials");
}

static pst_rc keys_of(pst_creds_ctx *ctx, const char *name, int depth,
                      pst_creds_keys *out, pst_err *err)
{
    if (depth == DEPTH_MAX)
        return pst_fail_retriable(err, PST_E_AUTH,
                                  "profile %.100s: source_profile goes in a circle or is "
                                  "too deep",
                                  name);
    profile *p = pst_calloc(1, sizeof *p);
    if (!p)
        return pst_fail_nomem(err, "credentials");
    pst_rc rc = load_file(ctx, name, true, p, err);
    if (rc == PST_OK)
        rc = load_file(ctx, name, false, p, err);
    if (rc == PST_OK && p->role_arn[0])
        rc = assume(ctx, name, p, depth, out, err);
    else if (rc == PST_OK)
        rc = pst_creds_fill(out, p->id, p->secret, p->token, "the credentials file", err);
    if (rc == PST_E_NOT_FOUND)
        note_missing(ctx, name, p);
    pst_wipe(p, sizeof *p);
    pst_free(p);
    return rc;
}

pst_rc pst_creds_from_profile(pst_creds_ctx *ctx, pst_creds_keys *out, pst_err *err)
{
    const char *named = ctx->vars[PST_AWS_PROFILE];
    pst_rc rc = keys_of(ctx, named ? named : "default", 0, out, err);
    if (rc == PST_E_NOT_FOUND && named) /* asked for: nothing else will do */
        rc = pst_fail_retriable(err, PST_E_AUTH, "no S3 credentials: AWS_PROFILE%s",
                                ctx->note);
    return rc;
}
