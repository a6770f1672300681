//! English, German, French, Spanish, Portuguese and Russian.

use super::phrases::Phrases;

pub(super) const ALL: &[&Phrases] = &[&ENGLISH, &GERMAN, &FRENCH, &SPANISH, &PORTUGUESE, &RUSSIAN];

const ENGLISH: Phrases = Phrases {
    code: "en",
    gap: " ",
    topics: &[
        "a small vegetable garden", "a weekend trip by train", "learning to play the piano", "a home weather station",
        "baking bread", "a reading group", "a budget for a shared flat", "training for a first marathon",
        "photographing birds", "moving to another city", "a website for a bakery", "a backup of family photos",
        "a course on statistics", "repairing an old bicycle", "a dinner for twelve guests", "keeping bees",
    ],
    questions: &[
        "How do I start with {}?", "What do most people get wrong about {}?", "Write a short plan for {}.",
        "Explain {} to a ten-year-old.", "Which three things matter most for {}, and why?",
        "Give me a checklist for {}.", "What would you do differently about {} with half the money?",
        "Compare two ways to approach {} and recommend one.", "How much time should I set aside for {}?",
        "Write a friendly message that invites my neighbours to help with {}.",
    ],
    circumstances: &[
        "I have never done this before.", "I can spend two evenings a week on it.",
        "My budget is small, and I would rather borrow than buy.", "Last year I tried it once and gave up after a month.",
        "Two friends want to join, but they live an hour away.", "Please keep in mind that I am not good with tools.",
        "It has to work out before the summer.", "I have already read two books, and they contradict each other.",
    ],
    follow_ups: &[
        "Can you say more about the first step?", "What if it rains all week?", "And what would that cost?",
        "Shorten that to three sentences.", "Why is that better than what my neighbour suggested?",
        "Thanks. How will I know that {} is going well?", "Turn this into a table, please.",
    ],
    openings: &[
        "Happy to help with {}.", "Good question.", "Short answer: start small and keep notes.", "There are a few ways to look at this.",
        "It depends on how much time you have.", "Let us go through it step by step.", "Yes, that can work.",
    ],
    statements: &[
        "The first week decides more than people expect, so make it easy on yourself.",
        "Write down what you want to achieve with {}, in one sentence, and put it where you see it every day.",
        "Most of the cost comes from things that are bought too early.",
        "Ask somebody who has done it before; twenty minutes of their time save you a month.",
        "A simple log of date, effort and result shows after a few weeks what works and what does not.",
        "Do not change two things at once, or you will never learn which of them made the difference.",
        "Borrow the equipment for {} first, and buy only what you missed.",
        "If something fails, that is useful: note what happened before you try again.",
        "Set a fixed time for it, because what has no time in the calendar rarely happens.",
        "Weather, neighbours and delivery times are outside of your control, so leave room for them in the plan.",
        "With {}, patience is worth more than talent.",
        "After a month, look back at your notes and drop whatever did not help.",
        "Some people enjoy the planning more than the doing, and there is nothing wrong with that.",
        "When two pieces of advice contradict each other, try the cheaper one first.",
    ],
    list_intro: "In this order:",
    items: &[
        "Decide what a good result looks like.", "List what you already have.", "Find one person to ask.",
        "Do the smallest version within a week.", "Note the time and the money it took.", "Improve one thing, then repeat.",
    ],
    code_intro: "If you like to keep track with a program, this is enough:",
    closings: &[
        "Tell me how it went, and we can plan the next step.", "Good luck with {}!",
        "If you tell me your budget, I can be more specific.", "Would you like a version of this as a checklist?",
    ],
};

const GERMAN: Phrases = Phrases {
    code: "de",
    gap: " ",
    topics: &[
        "ein kleiner Gemüsegarten", "eine Wanderung in den Alpen", "selbst gebackenes Brot", "ein Haushaltsplan",
        "Klavierunterricht für Erwachsene", "eine Wetterstation auf dem Balkon", "ein Umzug mit Kindern", "Imkerei als Hobby",
    ],
    questions: &[
        "Thema: {}. Wie fange ich an?", "Thema: {}. Was machen die meisten falsch?", "Schreib mir einen kurzen Plan. Es geht um: {}.",
        "Erkläre einem zehnjährigen Kind, worauf es hier ankommt: {}.", "Welche drei Dinge sind am wichtigsten? Stichwort: {}.",
        "Ich brauche eine Checkliste. Stichwort: {}.",
    ],
    circumstances: &[
        "Ich habe so etwas noch nie gemacht.", "Ich habe zwei Abende in der Woche Zeit.", "Mein Budget ist klein.",
        "Im letzten Jahr habe ich nach einem Monat aufgegeben.", "Bis zum Sommer muss es klappen.",
    ],
    follow_ups: &[
        "Kannst du den ersten Schritt genauer erklären?", "Und was kostet das ungefähr?", "Fass das bitte in drei Sätzen zusammen.",
        "Was mache ich, wenn es die ganze Woche regnet?",
    ],
    openings: &[
        "Gerne.", "Gute Frage.", "Kurz gesagt: klein anfangen und alles aufschreiben.", "Das hängt davon ab, wie viel Zeit du hast.",
        "Gehen wir es Schritt für Schritt durch.",
    ],
    statements: &[
        "Die erste Woche entscheidet mehr, als man denkt, also mach es dir leicht.",
        "Schreib in einem Satz auf, was du erreichen möchtest.",
        "Das meiste Geld wird für Dinge ausgegeben, die man zu früh kauft.",
        "Frag jemanden, der es schon gemacht hat; zwanzig Minuten Gespräch ersparen dir einen Monat.",
        "Ein einfaches Protokoll mit Datum, Aufwand und Ergebnis zeigt nach einigen Wochen, was funktioniert.",
        "Ändere nie zwei Dinge auf einmal, sonst weißt du nicht, welches davon geholfen hat.",
        "Leih dir die Ausrüstung zuerst aus und kauf nur, was dir wirklich gefehlt hat.",
        "Wenn etwas schiefgeht, ist das nützlich: Notiere, was davor geschah.",
        "Plane eine feste Zeit ein, denn was nicht im Kalender steht, passiert selten.",
        "Geduld ist hier mehr wert als Begabung.",
    ],
    list_intro: "In dieser Reihenfolge:",
    items: &[
        "Lege fest, woran du ein gutes Ergebnis erkennst.", "Schreib auf, was schon da ist.", "Suche eine Person, die du fragen kannst.",
        "Mach in der ersten Woche die kleinste mögliche Version.", "Verbessere eine Sache und wiederhole das Ganze.",
    ],
    code_intro: "Wer gerne programmiert, kann damit mitrechnen:",
    closings: &[
        "Erzähl mir, wie es gelaufen ist, dann planen wir den nächsten Schritt.", "Viel Erfolg!",
        "Wenn du mir dein Budget nennst, kann ich genauer werden.",
    ],
};

const FRENCH: Phrases = Phrases {
    code: "fr",
    gap: " ",
    topics: &[
        "un petit potager", "un week-end en train", "le pain fait maison", "un club de lecture", "un premier marathon",
        "la photographie d'oiseaux", "un déménagement", "une station météo sur le balcon",
    ],
    questions: &[
        "Par où commencer ? Mon projet : {}.", "Écris un plan court. Sujet : {}.", "Quelles sont les erreurs les plus fréquentes ? Sujet : {}.",
        "Explique à un enfant de dix ans ce qui compte ici : {}.", "Il me faut une liste de contrôle. Sujet : {}.",
    ],
    circumstances: &[
        "Je n'ai jamais fait cela.", "J'ai deux soirées libres par semaine.", "Mon budget est serré.",
        "L'année dernière, j'ai abandonné au bout d'un mois.", "Tout doit être prêt avant l'été.",
    ],
    follow_ups: &[
        "Peux-tu préciser la première étape ?", "Combien cela coûterait-il ?", "Résume cela en trois phrases, s'il te plaît.",
        "Et s'il pleut toute la semaine ?",
    ],
    openings: &[
        "Avec plaisir.", "Bonne question.", "En bref : commence petit et prends des notes.", "Cela dépend du temps dont tu disposes.",
        "Prenons les choses dans l'ordre.",
    ],
    statements: &[
        "La première semaine compte plus qu'on ne le croit, alors rends-la facile.",
        "Écris en une phrase ce que tu veux obtenir.", "On dépense surtout pour des choses achetées trop tôt.",
        "Demande conseil à quelqu'un qui l'a déjà fait : vingt minutes de conversation t'épargneront un mois.",
        "Un simple carnet avec la date, l'effort et le résultat montre vite ce qui fonctionne.",
        "Ne change jamais deux choses à la fois, sinon tu ne sauras pas laquelle a fait la différence.",
        "Emprunte d'abord le matériel et n'achète que ce qui t'a vraiment manqué.",
        "Un échec est utile à condition de noter ce qui s'est passé juste avant.",
        "Réserve un créneau fixe, car ce qui n'a pas d'heure n'arrive presque jamais.",
        "Ici, la patience vaut mieux que le talent.",
    ],
    list_intro: "Dans cet ordre :",
    items: &[
        "Décide à quoi ressemble un bon résultat.", "Note ce que tu as déjà.", "Trouve une personne à qui demander.",
        "Réalise la plus petite version en une semaine.", "Améliore une seule chose, puis recommence.",
    ],
    code_intro: "Pour suivre tout cela avec un petit programme :",
    closings: &[
        "Raconte-moi comment cela s'est passé, et nous verrons la suite.", "Bonne chance !",
        "Si tu me donnes ton budget, je pourrai être plus précis.",
    ],
};

const SPANISH: Phrases = Phrases {
    code: "es",
    gap: " ",
    topics: &[
        "un huerto pequeño", "un viaje en tren", "hacer pan en casa", "un club de lectura", "correr el primer maratón",
        "fotografiar aves", "una mudanza", "una copia de seguridad de las fotos de la familia",
    ],
    questions: &[
        "¿Por dónde empiezo? Mi proyecto: {}.", "Escribe un plan breve. Tema: {}.", "¿Qué errores son los más comunes? Tema: {}.",
        "Explica a un niño de diez años qué es lo importante: {}.", "Necesito una lista de comprobación. Tema: {}.",
    ],
    circumstances: &[
        "Nunca lo he hecho.", "Tengo dos tardes libres por semana.", "Mi presupuesto es pequeño.",
        "El año pasado lo dejé después de un mes.", "Tiene que estar listo antes del verano.",
    ],
    follow_ups: &[
        "¿Puedes explicar mejor el primer paso?", "¿Y cuánto costaría?", "Resúmelo en tres frases, por favor.", "¿Y si llueve toda la semana?",
    ],
    openings: &[
        "Con mucho gusto.", "Buena pregunta.", "En pocas palabras: empieza por algo pequeño y toma notas.",
        "Depende del tiempo que tengas.", "Vamos paso a paso.",
    ],
    statements: &[
        "La primera semana decide más de lo que parece, así que hazla fácil.", "Escribe en una frase lo que quieres conseguir.",
        "La mayor parte del dinero se gasta en cosas compradas demasiado pronto.",
        "Pregunta a alguien que ya lo haya hecho: veinte minutos de conversación te ahorran un mes.",
        "Un registro sencillo con fecha, esfuerzo y resultado muestra en pocas semanas qué funciona.",
        "No cambies dos cosas a la vez, o nunca sabrás cuál de ellas ayudó.",
        "Pide prestado el equipo y compra solo lo que de verdad te haya faltado.",
        "Un fallo es útil si anotas lo que ocurrió justo antes.", "Reserva una hora fija, porque lo que no está en la agenda rara vez sucede.",
        "Aquí la paciencia vale más que el talento.",
    ],
    list_intro: "En este orden:",
    items: &[
        "Decide cómo es un buen resultado.", "Apunta lo que ya tienes.", "Busca a una persona a quien preguntar.",
        "Haz la versión más pequeña en una semana.", "Mejora una sola cosa y repite.",
    ],
    code_intro: "Si quieres llevar la cuenta con un programa, esto basta:",
    closings: &[
        "Cuéntame cómo te fue y planeamos el siguiente paso.", "¡Mucha suerte!", "Si me dices tu presupuesto, puedo ser más concreto.",
    ],
};

const PORTUGUESE: Phrases = Phrases {
    code: "pt",
    gap: " ",
    topics: &[
        "uma pequena horta", "uma viagem de trem", "pão caseiro", "um clube de leitura", "a primeira maratona", "fotografia de aves",
        "uma mudança de cidade", "o conserto de uma bicicleta antiga",
    ],
    questions: &[
        "Por onde começo? Meu projeto: {}.", "Escreva um plano curto. Tema: {}.", "Quais são os erros mais comuns? Tema: {}.",
        "Explique a uma criança de dez anos o que importa aqui: {}.", "Preciso de uma lista de verificação. Tema: {}.",
    ],
    circumstances: &[
        "Nunca fiz isso antes.", "Tenho duas noites livres por semana.", "Meu orçamento é pequeno.",
        "No ano passado desisti depois de um mês.", "Precisa ficar pronto antes do verão.",
    ],
    follow_ups: &[
        "Você pode explicar melhor o primeiro passo?", "E quanto custaria?", "Resuma isso em três frases, por favor.", "E se chover a semana toda?",
    ],
    openings: &[
        "Claro, com prazer.", "Boa pergunta.", "Em resumo: comece pequeno e faça anotações.", "Depende de quanto tempo você tem.", "Vamos passo a passo.",
    ],
    statements: &[
        "A primeira semana decide mais do que se imagina, então facilite as coisas.", "Escreva em uma frase o que você quer alcançar.",
        "A maior parte do dinheiro vai para coisas compradas cedo demais.",
        "Pergunte a alguém que já fez isso: vinte minutos de conversa poupam um mês.",
        "Um registro simples com data, esforço e resultado mostra em poucas semanas o que funciona.",
        "Não mude duas coisas ao mesmo tempo, ou nunca saberá qual delas ajudou.",
        "Pegue o equipamento emprestado e compre apenas o que realmente fez falta.",
        "Um erro é útil quando você anota o que aconteceu logo antes.", "Reserve um horário fixo, pois o que não está na agenda raramente acontece.",
        "Aqui a paciência vale mais do que o talento.",
    ],
    list_intro: "Nesta ordem:",
    items: &[
        "Decida como é um bom resultado.", "Anote o que você já tem.", "Encontre uma pessoa a quem perguntar.",
        "Faça a menor versão possível em uma semana.", "Melhore uma única coisa e repita.",
    ],
    code_intro: "Para acompanhar tudo com um programa, isto basta:",
    closings: &["Conte-me como foi e planejamos o próximo passo.", "Boa sorte!", "Se você disser o orçamento, posso ser mais específico."],
};

const RUSSIAN: Phrases = Phrases {
    code: "ru",
    gap: " ",
    topics: &[
        "небольшой огород", "поездка на поезде", "домашний хлеб", "книжный клуб", "первый марафон", "фотографирование птиц",
        "переезд в другой город", "метеостанция на балконе",
    ],
    questions: &[
        "С чего начать? Тема: {}.", "Составь короткий план. Тема: {}.", "Какие ошибки встречаются чаще всего? Тема: {}.",
        "Объясни десятилетнему ребёнку, что здесь важно: {}.", "Нужен список для проверки. Тема: {}.",
    ],
    circumstances: &[
        "Я никогда этого не делал.", "У меня есть два свободных вечера в неделю.", "Бюджет небольшой.",
        "В прошлом году я бросил это через месяц.", "Всё должно быть готово до лета.",
    ],
    follow_ups: &[
        "Можешь подробнее рассказать о первом шаге?", "А сколько это будет стоить?", "Сократи это до трёх предложений, пожалуйста.",
        "А если всю неделю будет дождь?",
    ],
    openings: &[
        "С удовольствием помогу.", "Хороший вопрос.", "Коротко: начни с малого и веди записи.", "Всё зависит от того, сколько у тебя времени.",
        "Разберём по порядку.",
    ],
    statements: &[
        "Первая неделя решает больше, чем кажется, поэтому не усложняй её.", "Запиши одним предложением, чего ты хочешь добиться.",
        "Больше всего денег уходит на вещи, купленные слишком рано.",
        "Спроси того, кто уже это делал: двадцать минут разговора сберегут месяц.",
        "Простой дневник с датой, усилиями и результатом через несколько недель покажет, что работает.",
        "Не меняй две вещи сразу, иначе не узнаешь, какая из них помогла.", "Сначала возьми снаряжение на время и купи только то, чего не хватило.",
        "Неудача полезна, если записать, что было перед ней.", "Выдели постоянное время: то, чего нет в расписании, редко случается.",
        "Терпение здесь важнее таланта.",
    ],
    list_intro: "В таком порядке:",
    items: &[
        "Реши, как выглядит хороший результат.", "Запиши, что уже есть.", "Найди человека, у которого можно спросить.",
        "Сделай самый простой вариант за неделю.", "Улучши что-то одно и повтори.",
    ],
    code_intro: "Если хочется считать программой, этого достаточно:",
    closings: &["Расскажи, как всё прошло, и мы наметим следующий шаг.", "Удачи!", "Если назовёшь бюджет, я отвечу точнее."],
};
