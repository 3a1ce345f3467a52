"""What machines and people say when they answer the telephone, as patterns over plain words. Values only.

Patterns see lower-case words without accents and punctuation, separated by single spaces ("i m" for "I'm").
"""

_DIGIT = r"(?:\d|zero|one|two|three|four|five|six|seven|eight|nine|star|pound|hash)\b"
_DIGIT_DE = r"(?:\d|null|eins|zwei|drei|vier|funf|sechs|sieben|acht|neun|stern|raute)\b"
_DIGIT_ES = r"(?:\d|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|asterisco|numeral)\b"
_DIGIT_FR = r"(?:\d|zero|un|deux|trois|quatre|cinq|six|sept|huit|neuf|etoile|diese)\b"
_DIGIT_IT = r"(?:\d|zero|uno|due|tre|quattro|cinque|sei|sette|otto|nove|asterisco|cancelletto)\b"
_DIGIT_PT = r"(?:\d|zero|um|dois|tres|quatro|cinco|seis|sete|oito|nove|asterisco)\b"
_DIGIT_NL = r"(?:\d|nul|een|twee|drie|vier|vijf|zes|zeven|acht|negen|sterretje|hekje)\b"

# Said by voicemail and by nobody else, also in the middle of a call.
VOICEMAIL = (
    r"\b(?:after|at|until|for) the (?:tone|beep|signal)\b",
    r"\bleave (?:me |us |him |her |them )?(?:a|an|your|the) (?:\w+ ){0,4}(?:message|voice ?mail|name)\b",
    r"\brecord (?:a|your) (?:\w+ )?message\b",
    r"\bmailbox (?:is|you|of)\b|\b(?:reached|forwarded to) (?:\w+ ){0,4}(?:voice ?mail|voice messag\w+|mailbox)\b",
    r"\b(?:person|party|number|customer|subscriber|user|caller) you (?:are|re|have|ve) "
    r"(?:called|calling|dialed|dialled|dialing|trying to (?:reach|call))\b.{0,30}"
    r"\b(?:not|unavailable|unable|busy|switched off|out of service|no longer|disconnected)\b",
    r"\bnach dem (?:signal|piep|ton|pfeif)",
    r"\bhinterlass\w* .{0,40}(?:nachricht|namen|nummer)\b|\bnachricht .{0,25}hinterlass",
    r"\b(?:anrufbeantworter|sprachbox|mobilbox)\b|\bmailbox (?:von|des|der)\b",
    r"\b(?:person|teilnehmer|gesprachspartner|rufnummer)\b.{0,45}"
    r"\bnicht (?:erreichbar|zu erreichen|verfugbar|vergeben)",
    r"\b(?:despues de|tras|al oir|escuchar) (?:la|el|del?) ?(?:senal|tono|pitido)\b|\bdespues del (?:tono|pitido)\b",
    r"\b(?:deje|deja|dejar|dejanos|dejenos|dejame|dejeme)\b.{0,30}\b(?:mensaje|recado|nombre)\b",
    r"\b(?:buzon (?:de|del)|contestador|grabe (?:su|un|tu) mensaje)\b",
    r"\b(?:numero|abonado|cliente|persona)\b.{0,45}"
    r"\b(?:no (?:esta|se encuentra) disponible|apagado|fuera de cobertura)",
    r"\bapres le (?:bip|signal|ton)\b",
    r"\blaiss(?:ez|er)(?: moi| nous)? (?:un|votre|vos)\b.{0,30}\b(?:message|nom|coordonnees)\b",
    r"\b(?:messagerie|repondeur|boite vocale)\b",
    r"\b(?:correspondant|numero|personne)\b.{0,45}\b(?:pas disponible|indisponible|injoignable|pas joignable)",
    r"\bdopo il (?:segnale|bip|tono)\b",
    r"\blasci\w* (?:un|il)\b.{0,20}\b(?:messaggio|nome)\b",
    r"\b(?:segreteria telefonica|casella vocale)\b",
    r"\b(?:utente|cliente|persona|numero)\b.{0,55}"
    r"\bnon (?:e|era|risulta)? ?(?:al momento )?(?:raggiungibile|disponibile)",
    r"\b(?:apos|depois d)[oe]? ?o? ?(?:sinal|bipe?|tom)\b",
    r"\bdeix[ea]r? .{0,20}\b(?:mensagem|recado|nome)\b",
    r"\b(?:caixa (?:postal|de mensagens)|correio de voz|secretaria eletronica)\b",
    r"\b(?:pessoa|numero|cliente|assinante)\b.{0,45}"
    r"\b(?:nao (?:esta|se encontra) disponivel|indisponivel|fora da area)",
    r"\bna de (?:piep|toon|pieptoon|beep)\b",
    r"\b(?:laat|spreek)\b.{0,35}\b(?:bericht|boodschap)\b",
    r"\bantwoordapparaat\b|\bvoicemail van\b",
    r"\b(?:persoon|nummer|abonnee)\b.{0,45}\bniet (?:bereikbaar|beschikbaar)",
)

# Said by voicemail as the first words of a call; a person says it later.
VOICEMAIL_FIRST = (
    r"\byou (?:have|ve) (?:just )?reached\b",
    r"\bvoice ?mail\b",
    r"\b(?:can t|cannot|can not|unable to|not able to) (?:\w+ )?(?:take|answer|come to|get to|pick up)\b",
    r"\b(?:i|we|he|she|they)(?: m| am| re| are| s| is)? (?:not|currently not|currently un|un) ?(?:\w+ )?"
    r"(?:available|home|here|in the office|at my desk)\b",
    r"\bis (?:currently )?(?:not available|unavailable)\b",
    r"\b(?:get back to|return) you\w*\b|\bcall you (?:right )?back\b|\bsorry (?:i|we) (?:have )?missed you",
    r"\b(?:office|business) hours\b|\b(?:is|are) (?:currently |now )?closed\b",
    r"\b(?:bin|sind|ist)\b.{0,40}\b(?:nicht|leider nicht) (?:da|zu hause|erreichbar|verfugbar|personlich|im buro)\b",
    r"\bnicht entgegennehmen\b|\bruf\w* .{0,25}\bzuruck\b|\bzuruckrufen\b|\b(?:geschafts|offnungs|burozeiten)",
    r"\bno (?:estoy|estamos|puedo|podemos|esta)\b.{0,30}\b(?:disponibles?|atender\w*|contestar\w*|casa)\b",
    r"\b(?:le|te) (?:devolvere|devolveremos|llamare|llamaremos)\b|\bhorario de atencion\b",
    r"\b(?:ne suis|ne sommes|n est) pas (?:la|disponibles?|joignables?|chez)\b|\babsente?\b|\bindisponible\b",
    r"\bne (?:peux|pouvons|peut) pas (?:vous )?(?:repondre|prendre)\b|\bvous rappell?er\w*\b|\bhoraires d ouverture\b",
    r"\bnon (?:sono|siamo|posso|possiamo)\b.{0,30}\b(?:casa|rispondere|rispondervi|disponibil[ei])\b",
    r"\b(?:la|ti|vi) richiamer\w+|\borari di apertura\b",
    r"\bnao (?:posso|podemos|estou|estamos)\b.{0,30}\b(?:atender|disponive(?:l|is)|casa)\b",
    r"\bretorn\w+ (?:a|sua|o|seu) .{0,8}(?:ligacao|contato|chamada)\b|\bhorario de (?:atendimento|funcionamento)\b",
    r"\b(?:ben|zijn|kan|kunnen)\b.{0,35}\bniet (?:bereikbaar|aanwezig|beschikbaar|thuis|opnemen|te woord)\b",
    r"\bbel\w* .{0,20}\bterug\b|\bterugbellen\b|\bopeningstijden\b",
)

SCREENING = (
    r"\b(?:state|say|tell (?:me|us)|give) your name\b.{0,50}\b(?:why|what|reason|purpose|calling|call|tone|connect)\b",
    r"\brecord your name\b.{0,50}\b(?:why|reason|purpose|calling)\b",
    r"\bscreening (?:service|your call|this call|calls)\b|\bcalls? (?:is|are) (?:being )?screened\b",
    r"\bcall (?:screening|assistant)\b.{0,60}\b(?:name|why|reason)\b",
    r"\bwho(?: is| s)? calling and why\b|\bwhat (?:is|s) (?:this|your call) (?:about|regarding)\b.{0,40}\bname\b",
    r"\b(?:nennen|sagen|nenne|sprechen) (?:sie )?.{0,25}\bnamen\b.{0,60}\b(?:grund|warum|anliegen|worum)",
    r"\b(?:diga|indique|digame|grabe)\b.{0,25}\bnombre\b.{0,60}\b(?:motivo|razon|por que|llama)",
    r"\b(?:dites|indiquez|donnez|enregistrez)\b.{0,25}\bnom\b.{0,60}\b(?:raison|motif|pourquoi|objet)",
    r"\b(?:dica|pronunci|indichi|registri)\b.{0,25}\bnome\b.{0,60}\b(?:motivo|perche|chiama)",
    r"\b(?:diga|informe|fale|grave)\b.{0,25}\bnome\b.{0,60}\b(?:motivo|assunto|por que|ligando)",
    r"\b(?:noem|zeg|vermeld|spreek)\b.{0,25}\bnaam\b.{0,60}\b(?:reden|waarom|belt)",
)

MENU = (
    rf"\bpress (?:the )?(?:key |number )?{_DIGIT}",
    r"\bmenu options\b|\blisten (?:carefully )?to the following\b|\boptions have changed\b",
    r"\b(?:say or press|enter your (?:\w+ )?(?:number|extension)|dial your party s extension)\b",
    rf"\bdruck\w* (?:sie )?(?:bitte )?(?:die )?(?:taste )?{_DIGIT_DE}|\bwahlen sie (?:bitte )?(?:die )?{_DIGIT_DE}",
    rf"\b(?:marque|pulse|presione|oprima) (?:el |la tecla )?{_DIGIT_ES}",
    rf"\b(?:tapez|appuyez sur|composez|faites) (?:la touche |le )?{_DIGIT_FR}",
    rf"\b(?:prema|premere|premi|digiti|digitare) (?:il )?(?:tasto )?{_DIGIT_IT}",
    rf"\b(?:digite|tecle|pressione|prima|marque) (?:a tecla |o )?{_DIGIT_PT}",
    rf"\b(?:toets|druk op|druk|kies) (?:de )?{_DIGIT_NL}",
)

PERSON = (
    r"\bhow (?:can|may) i (?:help|direct|assist)\b|\b(?:can|may) i help you\b|\bwhat can i do for you\b",
    r"\bspeaking\b|\bwho (?:is|s) (?:this|it|calling|there|speaking)\b",
    r"\b(?:my name is|mein name ist|sie sprechen mit)\b",
    r"\b(?:was|wie) kann ich\b|\bam apparat\b|\bwer (?:ist da|spricht|ist dran)\b",
    r"\ben que (?:le |te |la |lo )?puedo\b|\bpuedo ayudar|\bde parte de quien\b|\bquien (?:habla|llama|es)\b",
    r"\bque puis je\b|\ben quoi puis je\b|\bpuis je vous\b|\bqui est a l appareil\b|\ba l appareil$",
    r"\bcome posso\b|\bposso aiutar|\bchi parla\b|\bcon chi parlo\b|\bmi dica\b",
    r"\bem que posso\b|\bcomo posso\b|\bposso ajudar\b|\bquem (?:fala|esta falando)\b",
    r"\bwaarmee kan ik\b|\bkan ik u helpen\b|\bmet wie spreek ik\b|\bspreekt u mee\b",
)

# Somebody, or something, asks us to wait for the person.
WAITING = (
    r"\b(?:please hold|hold (?:on|the line|please)|stay on the line|one moment|just a (?:moment|second|minute|sec))\b",
    r"\b(?:connect|connecting|transfer|transferring) (?:you|your call)\b",
    r"\b(?:see|check) if (?:they|he|she|the person|this person|someone|anyone)\b",
    r"\beinen (?:kleinen )?(?:moment|augenblick)\b|\bbleiben sie .{0,15}(?:apparat|leitung|dran)\b|\bbitte warten\b",
    r"\bverbinde sie\b|\bwerden verbunden\b",
    r"\bun (?:momento|momentito)\b|\bespere (?:por favor|en linea|un)\b|\bno cuelgue\b",
    r"\ble (?:paso|comunico|transfiero)\b",
    r"\bun (?:instant|moment)\b|\bne quittez pas\b|\bpatient(?:ez|er)\b|\bmet(?:s|tons) en relation\b",
    r"\bun (?:attimo|momento|istante)\b|\battend(?:a|ere|i) (?:in linea|prego|un)\b|\b(?:resti|rimanga) in linea\b",
    r"\bum (?:momento|instante|minuto|minutinho)\b|\baguarde\b|\bnao desligue\b|\btransferindo\b",
    r"\been (?:moment|momentje|ogenblik)\b|\bblijf\w* aan de lijn\b|\beven geduld\b",
    r"\bverbind u\b|\bwordt doorverbonden\b",
)
